"""What stands in for a vendor's library: domains in a directory, one JSON file each.

It has its own words, its own errors and no idea of hvsdk. Several processes may use one directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class ShedError(Exception):
    """What this library raises; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Shed:
    """A shed that is open."""

    def __init__(self, directory: Path, *, create: bool) -> None:
        if create:
            directory.mkdir(parents=True, exist_ok=True)
        if not directory.is_dir():
            raise ShedError("no-shed", f"there is no shed at {directory}")
        self._directory = directory

    def machines(self) -> list[dict[str, Any]]:
        """Return all machines."""
        with self._locked():
            return [json.loads(path.read_text("utf-8")) for path in sorted(self._directory.glob("*.json"))]

    def machine(self, key: str) -> dict[str, Any]:
        """Return one machine by its id."""
        with self._locked():
            return self._read(key)

    def add(self, **settings: Any) -> dict[str, Any]:
        """Make a machine that is off."""
        machine = {"id": str(uuid.uuid4()), "power": "off", **settings}
        with self._locked():
            self._write(machine)
        return machine

    def update(self, key: str, **settings: Any) -> dict[str, Any]:
        """Change settings of a machine."""
        with self._locked():
            machine = {**self._read(key), **settings}
            self._write(machine)
        return machine

    def annotate(self, key: str, changes: Mapping[str, str | None]) -> None:
        """Merge changes into a machine's metadata; `None` removes a key."""
        with self._locked():
            machine = self._read(key)
            merged = {**machine["metadata"], **changes}
            machine["metadata"] = {name: value for name, value in merged.items() if value is not None}
            self._write(machine)

    def power(self, key: str, power: str, *, allowed: str) -> dict[str, Any]:
        """Give a machine another power state, if it is in one that allows it."""
        with self._locked():
            machine = self._read(key)
            if machine["power"] not in allowed.split():
                raise ShedError("bad-power", f"machine {key} is {machine['power']}")
            machine["power"] = power
            self._write(machine)
        return machine

    def remove(self, key: str) -> None:
        """Remove a machine that is off."""
        with self._locked():
            if self._read(key)["power"] != "off":
                raise ShedError("bad-power", f"machine {key} is not off")
            self._file(key).unlink()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _file(self, key: str) -> Path:
        if not key or "/" in key or key.startswith("."):
            raise ShedError("no-machine", f"there is no machine {key!r}")
        return self._directory / f"{key}.json"

    def _read(self, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._file(key).read_text("utf-8"))
        except OSError as exc:
            raise ShedError("no-machine", f"there is no machine {key!r}") from exc
        return found

    def _write(self, machine: dict[str, Any]) -> None:
        half = self._directory / f".{machine['id']}.half"
        half.write_text(json.dumps(machine), "utf-8")
        half.replace(self._file(machine["id"]))
