"""Helpers of the tests of disks: what is on them, and reading it."""

from __future__ import annotations

import base64
import hashlib
import threading
from typing import Any

from hvsdk.driver import DiskReader
from hvsdk_simulators import Running
from vmware_support import soon

from hvsdk_vmware._driver import VmwareDriver

__all__ = ["MIB", "PIECES", "SIZE", "called", "disk_of", "expected", "put_together", "same", "whole", "write"]

MIB = 1 << 20
SIZE = 16 * MIB
PIECES = {0: b"first sector".ljust(512, b"\xa5"), MIB + 7: bytes(range(256)) * 300, SIZE - 3: b"end"}


def expected(size: int = SIZE) -> bytes:
    content = bytearray(size)
    for offset, data in PIECES.items():
        content[offset : offset + len(data)] = data
    return bytes(content)


def write(center: Running, native_id: str, pieces: dict[int, bytes]) -> None:
    """Write to a domain's first disk as its guest would."""
    for offset, data in pieces.items():
        center.act("disk", vm=native_id, offset=offset, write=base64.b64encode(data).decode())


def whole(reader: DiskReader, step: int = MIB + 13) -> bytes:
    return b"".join(reader.read(at, min(step, reader.size - at)) for at in range(0, reader.size, step))


def put_together(reader: Any) -> bytes:
    """Return a disk as those copy it who leave out zeros."""
    data = bytearray(reader.size)
    for offset, piece in reader.chunks():
        data[offset : offset + len(piece)] = piece
    return bytes(data)


def disk_of(driver: VmwareDriver, native_id: str) -> str:
    return driver.get_domain(native_id, frozenset(("config",)), deadline=soon()).disks[0].id


def called(center: Running, method: str, times: int = 1) -> None:
    """Wait until a method has been called so often."""
    limit = soon(10)
    while center.counts().get(method, 0) < times:
        assert not limit.expired, f"{method} was not called"
        threading.Event().wait(0.02)


def same(found: bytes, wanted: bytes) -> None:
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(wanted).hexdigest()
