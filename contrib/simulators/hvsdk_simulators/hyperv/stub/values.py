"""Values on the way between cmdlets in PowerShell and the simulated host."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.cmdlets.records import Record

from .generate import properties
from .kinds import LAZY

__all__ = ["Objects", "bound"]

_WITH_DEVICES = frozenset({"VirtualMachine", "VMSnapshot"})

_OF_FILES = ("FileInfo", "DirectoryInfo")


class Objects:
    """The objects that cmdlets gave out, to be found again when they are handed to other cmdlets."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._records: dict[str, Record] = {}

    def find(self, key: str) -> Record:
        """Return an object that was given out."""
        return self._records[key]

    def output(self, value: Any) -> Any:
        """Return an object or a value of a cmdlet's output in the form that the stand-in reads."""
        if isinstance(value, Record):
            known = properties(value.type, self._version)
            return self._other(value) if known is None else self._typed(value, known)
        if isinstance(value, (list, tuple)):
            return [self.output(one) for one in value]
        return _special(value)

    def _key(self, record: Record) -> str:
        key = f"{record.type} {record.key}"
        self._records[key] = record
        return key

    def _typed(self, record: Record, known: Mapping[str, str]) -> dict[str, Any]:
        """A type of the model: plain values are made into its properties' types by PowerShell itself."""
        plain: dict[str, Any] = {"StubKey": self._key(record)}
        others: dict[str, Any] = {}
        lazy: Mapping[str, str] = LAZY if record.type in _WITH_DEVICES else {}
        for name in record.properties:
            if name not in known or name in lazy:
                continue
            value = record[name]
            if value is None:
                continue
            if _has_records(value) or known[name] == "Object":
                others[name] = self.output(value)
            else:
                plain[name] = _plain(value)
        return {"t": record.type, "p": plain, **({"x": others} if others else {})}

    def _other(self, record: Record) -> dict[str, Any]:
        """Any other type: an object with notes."""
        kind = record.type
        space = "System.IO." if kind in _OF_FILES else "Microsoft.Management.Infrastructure.CimInstance#"
        names = [kind] if "." in kind else [space + kind]
        values = {name: self.output(record[name]) for name in record.properties}
        return {"k": self._key(record), "n": values, "names": names}


def bound(value: Any, find: Callable[[str], Record]) -> Any:
    """Return the value of a parameter as cmdlets take it."""
    if isinstance(value, list):
        return [bound(one, find) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    match kind:
        case "$object":
            return find(inner)
        case "$guid":
            return UUID(inner)
        case "$time":
            return datetime.fromisoformat(inner[:26].rstrip("Z") + "+00:00")
        case "$span":
            return timedelta(microseconds=inner // 10)
        case "$bytes":
            return base64.b64decode(inner)
        case "$table":
            return {name: bound(one, find) for name, one in inner.items()}
    raise ValueError(kind)


def _has_records(value: Any) -> bool:
    return isinstance(value, Record) or (
        isinstance(value, (list, tuple)) and any(isinstance(one, Record) for one in value)
    )


def _plain(value: Any) -> Any:
    """A value as text or number from which PowerShell makes the type of the property."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, timedelta):
        return _span(value)
    return value


def _special(value: Any) -> Any:
    if isinstance(value, UUID):
        return {"$guid": str(value)}
    if isinstance(value, datetime):
        return {"$time": _time(value)}
    if isinstance(value, timedelta):
        return {"$span": value // timedelta(microseconds=1) * 10}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    return value


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _span(value: timedelta) -> str:
    micro = value // timedelta(microseconds=1)
    sign, micro = ("-" if micro < 0 else ""), abs(micro)
    days, rest = divmod(micro, 86_400_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    return f"{sign}{days}.{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}0"
