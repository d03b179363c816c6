"""The fixed structures of a VHD file, big endian."""

import struct
from uuid import UUID

from ._geometry import chs

BLOCK = 2 * 1024 * 1024
BITMAP = 512
UNUSED = 0xFFFFFFFF
FOOTER_SIZE = 512
HEADER_SIZE = 1024
TABLE_OFFSET = 2048
DYNAMIC, DIFFERENCING = 3, 4
FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427x")
HEADER = struct.Struct(">8sQQIIII16sII512s192s256x")
LOCATOR = struct.Struct(">4sIIIQ")
_NOTHING = 0xFFFFFFFFFFFFFFFF


def checksum(content: bytes) -> int:
    """One's complement of the sum of the bytes, the checksum field being zero."""
    return ~sum(content) & 0xFFFFFFFF


def footer(size: int, kind: int, unique: UUID) -> bytes:
    """A footer, as XAPI's `caml` creator writes it, with no time."""

    def pack(total: int) -> bytes:
        cylinders, heads, sectors = chs(size)
        return FOOTER.pack(
            b"conectix", 2, 0x00010000, FOOTER_SIZE, 0, b"caml", 0x00000001, b"\0\0\0\0",
            size, size, cylinders, heads, sectors, kind, total, unique.bytes, 0,
        )  # fmt: skip

    return pack(checksum(pack(0)))


def header(blocks: int, parent: tuple[UUID, str] | None, locator: tuple[int, int] | None) -> bytes:
    """A dynamic header.

    Args:
        blocks: Entries in the block allocation table.
        parent: Identity and file name of the parent of a differencing disk.
        locator: Offset and length of the parent's path in the stream.
    """
    unique, name = parent or (UUID(int=0), "")
    locators = b""
    if locator:
        offset, length = locator
        locators = LOCATOR.pack(b"MacX", 512, length, 0, offset)

    def pack(total: int) -> bytes:
        return HEADER.pack(
            b"cxsparse", _NOTHING, TABLE_OFFSET, 0x00010000, blocks, BLOCK, total, unique.bytes, 0, 0,
            name.encode("utf-16-be")[:512], locators,
        )  # fmt: skip

    return pack(checksum(pack(0)))
