"""A qemu-nbd of one's own, which makes a disk of the files it lies in."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hvsdk.driver import errors
from hvsdk.nbd import NbdClient, ServerGoneError

__all__ = ["NbdProcess", "chain_node", "find_qemu_nbd"]

_START_TIMEOUT = 30.0


def find_qemu_nbd() -> str | None:
    """Return where qemu-nbd is installed on this machine, if it is."""
    return shutil.which("qemu-nbd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/bin:/usr/sbin")


def chain_node(layers: Sequence[tuple[str, dict[str, Any]]], *, read_only: bool) -> dict[str, Any]:
    """Return QEMU's description of a disk that lies in several files, the uppermost first.

    Formats are given, never guessed: what a guest wrote on a raw disk may look like another format.

    Args:
        layers: (format, description of the file) for each.
    """
    below: dict[str, Any] | None = None
    for index, (form, file) in reversed(list(enumerate(layers))):
        node: dict[str, Any] = {"driver": form, "file": file, "read-only": read_only or index > 0}
        if read_only:
            node["force-share"] = True
        if form == "qcow2":
            node["backing"] = below
        below = node
    if below is None:
        raise ValueError("a disk lies in one file at least")
    return below


class NbdProcess:
    """A running qemu-nbd and the connection to it.

    It ends when the connection does, so that nothing stays behind a process that was killed.

    Args:
        make_node: Returns what to open; called with the private directory that the sockets are in.
        snapshot: Name of a snapshot inside the uppermost file to show instead of its present content.
    """

    def __init__(
        self,
        make_node: Callable[[Path], dict[str, Any]],
        *,
        read_only: bool,
        snapshot: str | None = None,
        timeout: float,
    ) -> None:
        program = find_qemu_nbd()
        if program is None:
            raise errors.UnsupportedError("qemu-nbd is not installed here", hint="apt install qemu-utils")
        self._directory = Path(tempfile.mkdtemp(prefix="hvsdk-nbd-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            path = self._directory / "disk"
            command = [program, "--socket", str(path), "--discard=unmap"]
            command += ["--read-only"] if read_only else []
            command += ["--load-snapshot", "snapshot.name=" + snapshot.replace(",", ",,")] if snapshot else []
            command.append("json:" + json.dumps(make_node(self._directory)))
            log = self._directory / "log"
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            self.client = self._connect(path, timeout)
        except BaseException:
            self._end()
            raise

    def _connect(self, path: Path, timeout: float) -> NbdClient:
        assert self._process is not None
        patience = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(timeout)
                try:
                    connection.connect(str(path))
                except BaseException:
                    connection.close()
                    raise
                return NbdClient(connection)
            except (OSError, ServerGoneError) as exc:  # not there yet, or there and failing
                if self._process.poll() is not None:
                    said = (self._directory / "log").read_text(errors="replace").strip()
                    reason = said.replace("qemu-nbd: ", "") or f"qemu-nbd ended with {self._process.returncode}"
                    raise errors.OperationFailedError(f"the disk cannot be opened: {reason}") from exc
                if time.monotonic() > patience:
                    raise errors.OperationTimeoutError("qemu-nbd did not start in time") from exc
                time.sleep(0.01)

    def close(self) -> None:
        """End it when it has written everything; twice is harmless."""
        self.client.close()
        if self._process is not None:
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._end()
                raise errors.OperationTimeoutError("qemu-nbd did not finish writing the disk") from None
        self._end()

    def kill(self) -> None:
        """End it at once; what it had not written is lost."""
        if self._process is not None:
            self._process.kill()
        self.client.close()
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
