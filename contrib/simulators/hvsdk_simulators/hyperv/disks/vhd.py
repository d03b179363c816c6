"""VHD files, the older format. All numbers are big-endian."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

import attrs

from .image import PARENT, ZERO, DiskError, DiskInfo, DiskType, Image, Piece

__all__ = ["MAXIMUM", "VhdImage", "make_vhd"]

MAXIMUM = 2040 << 30
SECTOR = 512
_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
_DYNAMIC = struct.Struct(">8sQQIIII16sII512s")
_LOCATOR = struct.Struct(">4sIIIQ")
_TYPES: dict[int, DiskType] = {2: "fixed", 3: "dynamic", 4: "differencing"}
_KINDS = {name: number for number, name in _TYPES.items()}
_NOWHERE = 0xFFFFFFFF
_NO_HEADER = 0xFFFFFFFFFFFFFFFF
_NOBODY = UUID(int=0)
_EPOCH = 946684800
"""2000-01-01, from which a VHD counts its seconds."""
_HEADER_AT, _TABLE_AT, _LOCATORS_AT = 512, 1536, 576


def _summed(data: bytes, at: int) -> bytes:
    """Return a structure with its checksum, which is at an offset in it."""
    total = ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF
    return data[:at] + struct.pack(">I", total) + data[at + 4 :]


def _geometry(size: int) -> tuple[int, int, int]:
    """Return cylinders, heads and sectors, calculated as the specification says."""
    sectors = min(size // SECTOR, 65535 * 16 * 255)
    if sectors > 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    per_track, heads, tracks = 17, 0, sectors // 17
    heads = max(4, (tracks + 1023) // 1024)
    if tracks >= heads * 1024 or heads > 16:
        per_track, heads, tracks = 31, 16, sectors // 31
    if tracks >= heads * 1024:
        per_track, heads, tracks = 63, 16, sectors // 63
    return tracks // heads, heads, per_track


@attrs.define(kw_only=True)
class Footer:
    """What the last sector of every VHD says."""

    type: DiskType
    size: int
    id: UUID = attrs.field(factory=uuid4)
    written: int = attrs.field(factory=lambda: int(time.time()) - _EPOCH)

    def data(self) -> bytes:
        """Return it as it is in the file."""
        cylinders, heads, sectors = _geometry(self.size)
        begin = _NO_HEADER if self.type == "fixed" else _HEADER_AT
        numbers = (self.size, self.size, cylinders, heads, sectors, _KINDS[self.type], 0)
        plain = _FOOTER.pack(
            b"conectix", 2, 0x10000, begin, self.written, b"win ", 0xA0000, b"Wi2k", *numbers, self.id.bytes, 0
        )
        return _summed(plain.ljust(SECTOR, b"\0"), 64)


def _read_footer(data: bytes) -> tuple[Footer, int]:
    """Return the footer, and where the header for dynamic disks is."""
    if len(data) < SECTOR or data[:8] != b"conectix" or _summed(data, 64) != data:
        raise DiskError("the file is no VHD, or its footer is not whole")
    _, _, _, begin, written, _, _, _, _, size, _, _, _, kind, _, one, _ = _FOOTER.unpack_from(data)
    if kind not in _TYPES:
        raise DiskError(f"a VHD of type {kind} is not known")
    return Footer(type=_TYPES[kind], size=size, id=UUID(bytes=one), written=written), begin


@attrs.define(kw_only=True)
class Dynamic:
    """The header of disks that have blocks."""

    entries: int
    block_size: int
    table_at: int = _TABLE_AT
    parent_id: UUID = _NOBODY
    parent_written: int = 0
    parent_name: str = ""
    locators: list[tuple[bytes, int, int]] = attrs.field(factory=list)
    """Platform, offset and length of what else the parent is called."""

    def data(self) -> bytes:
        """Return it as it is in the file."""
        name = self.parent_name.encode("utf-16-be")[:512]
        head = (_NO_HEADER, self.table_at, 0x10000, self.entries, self.block_size, 0, self.parent_id.bytes)
        plain = _DYNAMIC.pack(b"cxsparse", *head, self.parent_written, 0, name)
        for platform, at, length in self.locators:
            plain += _LOCATOR.pack(platform, -(-length // SECTOR) * SECTOR, length, 0, at)
        return _summed(plain.ljust(1024, b"\0"), 36)


def _read_dynamic(data: bytes) -> Dynamic:
    if data[:8] != b"cxsparse" or _summed(data, 36) != data:
        raise DiskError("the header of the VHD is not whole")
    _, _, table_at, _, entries, block_size, _, parent, written, _, name = _DYNAMIC.unpack_from(data)
    locators = []
    for number in range(8):
        platform, _, length, _, at = _LOCATOR.unpack_from(data, _LOCATORS_AT + number * _LOCATOR.size)
        if platform != bytes(4):
            locators.append((platform, at, length))
    return Dynamic(
        entries=entries,
        block_size=block_size,
        table_at=table_at,
        parent_id=UUID(bytes=parent),
        parent_written=written,
        parent_name=name.decode("utf-16-be", "replace").rstrip("\0"),
        locators=locators,
    )


def make_vhd(file: IO[bytes], kind: DiskType, size: int, block_size: int) -> None:
    """Write a new file: empty, or with all its bytes when it is fixed. A parent is set later."""
    footer = Footer(type=kind, size=size)
    if kind == "fixed":
        file.truncate(size)
        file.seek(size)
        file.write(footer.data())
        return
    entries = -(-size // block_size)
    table = b"\xff" * (-(-entries * 4 // SECTOR) * SECTOR)
    file.write(footer.data() + Dynamic(entries=entries, block_size=block_size).data() + table + footer.data())


class VhdImage(Image):
    """A VHD that is open.

    Raises:
        DiskError: The file is none, or is damaged.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        super().__init__(path, file)
        self._footer, at = _read_footer(self._read_file(max(0, self._file_size() - SECTOR), SECTOR))
        self.size = self._footer.size
        self._header: Dynamic | None = None
        self._block = 0
        if self._footer.type != "fixed":
            self._header = _read_dynamic(self._read_file(at, 1024))
            self._block = self._header.block_size

    @property
    def info(self) -> DiskInfo:
        names = self.parent_names()
        return DiskInfo(
            format="vhd",
            type=self._footer.type,
            size=self.size,
            file_size=self._file_size(),
            block_size=self._block,
            id=self._footer.id,
            content_id=self._footer.id,
            physical_sector_size=SECTOR,
            parent_path=names[0] if names else None,
            parent_id=self._dynamic.parent_id if names else None,
        )

    @property
    def _dynamic(self) -> Dynamic:
        assert self._header is not None
        return self._header

    @property
    def _differencing(self) -> bool:
        return self._footer.type == "differencing"

    def parent_names(self) -> list[str]:
        if not self._differencing:
            return []
        found = {
            platform: self._read_file(at, length).decode("utf-16-le", "replace")
            for platform, at, length in self._dynamic.locators
        }
        names = [found[platform] for platform in (b"W2ku", b"W2ru") if platform in found]
        return names or [self._dynamic.parent_name]

    def set_parent(self, parent: Image, name: str) -> None:
        info = parent.info
        header = self._dynamic
        header.parent_id, header.parent_name = info.content_id, name.rpartition("\\")[2]
        header.parent_written = parent._footer.written if isinstance(parent, VhdImage) else 0
        header.locators = []
        end = self._file_size() - SECTOR
        for platform, text in ((b"W2ru", ".\\" + header.parent_name), (b"W2ku", name)):
            data = text.encode("utf-16-le")
            self._write_file(end, data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0"))
            header.locators.append((platform, end, len(data)))
            end += -(-len(data) // SECTOR) * SECTOR
        self._write_file(_HEADER_AT, header.data())
        self._write_file(end, self._footer.data())

    # ---- where things are --------------------------------------------------------------------------------

    def pieces(self, offset: int, length: int) -> Iterator[Piece]:
        if self._header is None:
            if length:
                yield Piece(offset, length, offset)
            return
        end = offset + length
        while offset < end:
            block, within = divmod(offset, self._block)
            here = min(self._block - within, end - offset)
            sector = self._entry(block)
            if sector == _NOWHERE:
                yield Piece(offset, here, PARENT if self._differencing else ZERO)
            else:
                yield from self._sectors(sector * SECTOR, offset, here)
            offset += here

    def _sectors(self, at: int, offset: int, length: int) -> Iterator[Piece]:
        """Yield runs of sectors that are in this file, and of those that are not."""
        bits = self._read_file(at, self._bits_length)
        data, end = at + self._bits_length, offset + length
        while offset < end:
            first = offset % self._block // SECTOR
            here = _bit(bits, first)
            last = first + 1
            while last * SECTOR < self._block and _bit(bits, last) == here:
                last += 1
            step = min((last - first) * SECTOR - offset % SECTOR, end - offset)
            absent = PARENT if self._differencing else ZERO
            yield Piece(offset, step, data + offset % self._block if here else absent)
            offset += step

    @property
    def _bits_length(self) -> int:
        return -(-self._block // SECTOR // 8 // SECTOR) * SECTOR

    def _entry(self, block: int) -> int:
        return int.from_bytes(self._read_file(self._dynamic.table_at + block * 4, 4), "big")

    # ---- writing -----------------------------------------------------------------------------------------

    def _store(self, offset: int, data: memoryview) -> None:
        if self._header is None:
            self._write_file(offset, data)
            return
        position = 0
        while position < len(data):
            block, within = divmod(offset + position, self._block)
            part = data[position : position + self._block - within]
            self._store_block(block, within, part)
            position += len(part)

    def _store_block(self, block: int, within: int, data: memoryview) -> None:
        sector = self._entry(block)
        if sector == _NOWHERE:
            at = self._file_size() - SECTOR
            self._file.truncate(at)
            self._write_file(at + self._bits_length + self._block, self._footer.data())
            sector = at // SECTOR
            self._write_file(self._dynamic.table_at + block * 4, struct.pack(">I", sector))
        at = sector * SECTOR
        self._write_file(at + self._bits_length + within, data)
        bits = bytearray(self._read_file(at, self._bits_length))
        for number in range(within // SECTOR, -(-(within + len(data)) // SECTOR)):
            bits[number >> 3] |= 0x80 >> (number & 7)
        self._write_file(at, bytes(bits))

    # ---- another size ------------------------------------------------------------------------------------

    def resize(self, size: int) -> None:
        if not 0 < size <= MAXIMUM or size % SECTOR:
            raise DiskError(f"a VHD cannot have {size} bytes")
        end, old = self._file_size() - SECTOR, self.size
        self._footer.size = self.size = size
        if self._header is None:
            self._file.truncate(min(old, size))
            self._file.truncate(size)
            self._write_file(size, self._footer.data())
            return
        wanted = -(-size // self._block)
        for block in range(wanted, self._dynamic.entries):
            self._write_file(self._dynamic.table_at + block * 4, b"\xff" * 4)
        if wanted > self._dynamic.entries:
            end = self._make_room(wanted, end)
        self._dynamic.entries = wanted
        self._write_file(_HEADER_AT, self._dynamic.data())
        self._write_file(0, self._footer.data())
        self._write_file(end, self._footer.data())
        self._zero_tail(old, size, self._block)

    def _make_room(self, wanted: int, end: int) -> int:
        """Move the block table to the end of the file, and return where the footer goes."""
        table = self._read_file(self._dynamic.table_at, self._dynamic.entries * 4)
        self._dynamic.table_at = end
        length = -(-wanted * 4 // SECTOR) * SECTOR
        self._write_file(end, table.ljust(length, b"\xff"))
        return end + length


def _bit(bits: bytes, number: int) -> bool:
    return bool(bits[number >> 3] & 0x80 >> (number & 7))
