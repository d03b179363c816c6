"""An audit log: one line of JSON for each operation, before it begins and when it has ended."""

from __future__ import annotations

import getpass
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hvsdk import Outcome, hookimpl
from hvsdk.driver import Operation

__all__ = ["AuditLog", "hvsdk_after_operation", "hvsdk_before_operation"]


class AuditLog:
    """Writes lines to a file. Safe to share between threads and processes: each line is one append.

    Args:
        path: The file; it is made readable for its owner only.
        fsync: Whether each line is on disk before the caller goes on.
    """

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None:
        self._path = Path(path)
        self._fsync = fsync
        self._lock = threading.Lock()

    @hookimpl
    def hvsdk_before_operation(self, operation: Operation) -> None:
        """Say that an operation begins; when that cannot be written, hvsdk refuses the operation."""
        self._write({"event": "begin", **_told(operation)})

    @hookimpl
    def hvsdk_after_operation(self, operation: Operation, outcome: Outcome) -> None:
        """Say how it ended."""
        end = {
            "status": outcome.status,
            "error": None if outcome.error is None else str(outcome.error),
            "error_type": outcome.error_type,
            "seconds": round(outcome.seconds, 3),
            "power_state": outcome.power_state,
        }
        more = {} if outcome.native_id is None else {"native_id": outcome.native_id}
        self._write({"event": "end", **_told(operation), **more, **end})

    def _write(self, values: dict[str, Any]) -> None:
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **values}, ensure_ascii=True, default=str) + "\n"
        with self._lock:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line.encode())
                if self._fsync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _told(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "parent": operation.parent,
        "verb": operation.verb,
        "backend": operation.backend,
        "host": operation.host,
        "domain": operation.domain,
        "native_id": operation.native_id,
        "changes": operation.changes,
        "arguments": dict(operation.arguments),
        "user": _user(),
        "connection": _connection_user(operation.host),
        "actor": operation.actor,
        "marks": dict(operation.marks),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(getattr(os, "getuid", int)())


def _connection_user(url: str) -> str | None:
    try:
        user, at, _ = urlsplit(url).netloc.rpartition("@")
    except ValueError:
        return None
    return unquote(user.partition(":")[0]) if at else None


def _from_environment() -> AuditLog | None:
    path = os.environ.get("HVSDK_AUDIT_LOG")
    return None if not path else AuditLog(path, fsync=os.environ.get("HVSDK_AUDIT_FSYNC", "") not in ("", "0"))


@hookimpl
def hvsdk_before_operation(operation: Operation) -> None:
    """Write to the log that the environment names."""
    log = _from_environment()
    if log is not None:
        log.hvsdk_before_operation(operation)


@hookimpl
def hvsdk_after_operation(operation: Operation, outcome: Outcome) -> None:
    """Write to the log that the environment names."""
    log = _from_environment()
    if log is not None:
        log.hvsdk_after_operation(operation, outcome)
