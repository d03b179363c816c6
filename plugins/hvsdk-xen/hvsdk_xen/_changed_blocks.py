"""What differs between two snapshots of a disk: from XAPI's own tracking, or from a differencing image's table."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from hvsdk.driver import Extent, errors

__all__ = ["GRAIN", "changed_extents", "read_bitmap"]

GRAIN = 64 * 2**10
"""Bytes that one bit stands for."""


def read_bitmap(text: object, size: int) -> bytes:
    """Return the bitmap that `VDI.list_changed_blocks` answers, which must reach to the end of the disk.

    Raises:
        OperationFailedError: It is not base64, or too short.
    """
    try:
        bitmap = base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except ValueError as exc:
        raise errors.OperationFailedError("the list of changed blocks is not base64") from exc
    if len(bitmap) * 8 * GRAIN < size:
        raise errors.OperationFailedError(f"the list of changed blocks ends before the disk's {size} bytes do")
    return bitmap


def changed_extents(bitmap: bytes, size: int) -> Iterator[Extent]:
    """Yield what a bitmap has ones for, the highest bit of a byte first, neighbours as one extent."""
    return _merged(_marked(bitmap), size)


def _marked(bitmap: bytes) -> Iterator[int]:
    for number, byte in enumerate(bitmap):
        if byte:
            for bit in range(8):
                if byte & (0x80 >> bit):
                    yield number * 8 + bit


def _merged(grains: Iterable[int], size: int) -> Iterator[Extent]:
    begin = end = -1
    for grain in grains:
        if grain != end:
            if end > begin >= 0 and begin * GRAIN < size:
                yield _extent(begin, end, size)
            begin = grain
        end = grain + 1
    if end > begin >= 0 and begin * GRAIN < size:
        yield _extent(begin, end, size)


def _extent(begin: int, end: int, size: int) -> Extent:
    return Extent(offset=begin * GRAIN, length=min(end * GRAIN, size) - begin * GRAIN)
