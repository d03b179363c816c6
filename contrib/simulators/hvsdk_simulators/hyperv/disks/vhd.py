"""VHD files, the older format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .image import PARENT, ZERO, DiskError, DiskInfo, DiskType, Image, Piece
from .vhd_layout import HEADER_AT, NOWHERE, SECTOR, Dynamic, Footer, read_dynamic, read_footer

__all__ = ["MAXIMUM", "VhdImage", "make_vhd"]

MAXIMUM = 2040 << 30


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
        self._footer, at = read_footer(self._read_file(max(0, self._file_size() - SECTOR), SECTOR))
        self.size = self._footer.size
        self._header: Dynamic | None = None
        self._block = 0
        if self._footer.type != "fixed":
            self._header = read_dynamic(self._read_file(at, 1024))
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
        self._write_file(HEADER_AT, header.data())
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
            if sector == NOWHERE:
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
        if sector == NOWHERE:
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
        self._write_file(HEADER_AT, self._dynamic.data())
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
