"""VHDX files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

from .image import PARENT, ZERO, DiskError, DiskInfo, Image, Piece
from .vhdx_layout import (
    BAT_REGION,
    HEADERS,
    LOG_AT,
    METADATA_REGION,
    MIB,
    REGION_TABLES,
    Header,
    Region,
    find_header,
    identifier,
    read_regions,
    regions_data,
)
from .vhdx_metadata import Metadata, metadata_data, read_metadata

__all__ = ["MAXIMUM", "VhdxImage", "make_vhdx"]

MAXIMUM = 64 << 40
_ZEROS, _FULL, _PARTIAL = 2, 6, 7
_STATE = 7
_METADATA_LENGTH = MIB


def make_vhdx(file: IO[bytes], metadata: Metadata) -> None:
    """Write a new file: empty, or with all blocks when it is fixed."""
    ratio = _chunk_ratio(metadata)
    entries = _entries(metadata, ratio)
    bat_at = LOG_AT + MIB + _METADATA_LENGTH
    bat_length = -(-entries * 8 // MIB) * MIB
    regions = {BAT_REGION: Region(bat_at, bat_length), METADATA_REGION: Region(LOG_AT + MIB, _METADATA_LENGTH)}
    header = Header()
    table = regions_data(regions)
    places = [(0, identifier()), (REGION_TABLES[0], table), (REGION_TABLES[1], table)]
    places.append((LOG_AT + MIB, metadata_data(metadata)))
    for number, at in enumerate(HEADERS):
        header.number = number + 1
        places.append((at, header.data()))
    end = bat_at + bat_length
    if metadata.fixed:
        places.append((bat_at, _fixed_table(metadata, ratio, end)))
        end += -(-metadata.size // metadata.block_size) * metadata.block_size
    for at, data in places:
        file.seek(at)
        file.write(data)
    file.truncate(end)


def _chunk_ratio(metadata: Metadata) -> int:
    return (metadata.logical_sector << 23) // metadata.block_size


def _entries(metadata: Metadata, ratio: int) -> int:
    blocks = -(-metadata.size // metadata.block_size)
    if metadata.parent is not None:
        return -(-blocks // ratio) * (ratio + 1)
    return blocks + (blocks - 1) // ratio if blocks else 0


def _fixed_table(metadata: Metadata, ratio: int, begin: int) -> bytes:
    table = bytearray(_entries(metadata, ratio) * 8)
    for block in range(-(-metadata.size // metadata.block_size)):
        entry = begin + block * metadata.block_size | _FULL
        struct.pack_into("<Q", table, (block + block // ratio) * 8, entry)
    return bytes(table)


class VhdxImage(Image):
    """A VHDX that is open.

    Raises:
        DiskError: The file is none, or is damaged.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        super().__init__(path, file)
        if self._read_file(0, 8) != b"vhdxfile":
            raise DiskError("the file is no VHDX")
        self._header = find_header(*(self._read_file(at, 4096) for at in HEADERS))
        self._regions = read_regions(self._read_file(REGION_TABLES[0], 64 << 10))
        region = self._regions[METADATA_REGION]
        self._metadata = read_metadata(self._read_file(region.at, min(region.length, _METADATA_LENGTH)))
        self._written = False
        self.size = self._metadata.size
        self.sector = self._metadata.logical_sector
        self._block = self._metadata.block_size
        self._ratio = _chunk_ratio(self._metadata)

    @property
    def info(self) -> DiskInfo:
        metadata = self._metadata
        linkage = metadata.parent and UUID(metadata.parent["parent_linkage"].strip("{}"))
        names = self.parent_names()
        return DiskInfo(
            format="vhdx",
            type="fixed" if metadata.fixed else "differencing" if metadata.parent is not None else "dynamic",
            size=self.size,
            file_size=self._file_size(),
            block_size=self._block,
            id=metadata.id,
            content_id=self._header.data_id,
            logical_sector_size=metadata.logical_sector,
            physical_sector_size=metadata.physical_sector,
            parent_path=names[0] if names else None,
            parent_id=linkage or None,
        )

    def parent_names(self) -> list[str]:
        parent = self._metadata.parent or {}
        return [parent[key] for key in ("absolute_win32_path", "volume_path", "relative_path") if key in parent]

    def set_parent(self, parent: Image, name: str) -> None:
        self._metadata.parent = locator(parent.info.content_id, name, self.path.name)
        self._write_metadata()

    # ---- where things are --------------------------------------------------------------------------------

    def pieces(self, offset: int, length: int) -> Iterator[Piece]:
        end = offset + length
        while offset < end:
            block, within = divmod(offset, self._block)
            here = min(self._block - within, end - offset)
            entry = self._entry(block)
            state, at = entry & _STATE, entry >> 20 << 20
            if state == _FULL:
                yield Piece(offset, here, at + within)
            elif state == _PARTIAL:
                yield from self._partial(block, at, offset, here)
            else:
                yield Piece(offset, here, PARENT if state == 0 and self._metadata.parent is not None else ZERO)
            offset += here

    def _partial(self, block: int, at: int, offset: int, length: int) -> Iterator[Piece]:
        """Yield runs of sectors that are in this file, and of those that are not."""
        bits = self._bits(block)
        end = offset + length
        while offset < end:
            first = offset % self._block // self.sector
            here = _bit(bits, first)
            last = first + 1
            while last * self.sector < self._block and _bit(bits, last) == here:
                last += 1
            step = min((last - first) * self.sector - offset % self.sector, end - offset)
            yield Piece(offset, step, at + offset % self._block if here else PARENT)
            offset += step

    def _entry_at(self, block: int) -> int:
        return self._regions[BAT_REGION].at + (block + block // self._ratio) * 8

    def _entry(self, block: int) -> int:
        return int.from_bytes(self._read_file(self._entry_at(block), 8), "little")

    def _bitmap_entry_at(self, block: int) -> int:
        """Return where the entry of the bitmap of the chunk is that a block belongs to."""
        chunk = block // self._ratio
        return self._regions[BAT_REGION].at + (chunk * (self._ratio + 1) + self._ratio) * 8

    def _bits_at(self, block: int) -> int | None:
        entry = int.from_bytes(self._read_file(self._bitmap_entry_at(block), 8), "little")
        if entry & _STATE != _FULL:
            return None
        return (entry >> 20 << 20) + block % self._ratio * self._bits_length

    @property
    def _bits_length(self) -> int:
        return self._block // self.sector // 8

    def _bits(self, block: int) -> bytes:
        at = self._bits_at(block)
        return bytes(self._bits_length) if at is None else self._read_file(at, self._bits_length)

    # ---- writing -----------------------------------------------------------------------------------------

    def _store(self, offset: int, data: memoryview) -> None:
        self._note_written()
        position = 0
        while position < len(data):
            block, within = divmod(offset + position, self._block)
            part = data[position : position + self._block - within]
            self._store_block(block, within, part)
            position += len(part)

    def _store_block(self, block: int, within: int, data: memoryview) -> None:
        entry = self._entry(block)
        state, at = entry & _STATE, entry >> 20 << 20
        differencing = self._metadata.parent is not None
        if state not in (_FULL, _PARTIAL):
            at = self._append(self._block)
            whole = len(data) == min(self._block, self.size - block * self._block)
            partial = state == 0 and differencing and not whole
            if differencing:
                self._set_bits(block, 0, self._bits_length * 8, False)
            state = _PARTIAL if partial else _FULL
            self._write_file(self._entry_at(block), struct.pack("<Q", at | state))
        self._write_file(at + within, data)
        if state == _PARTIAL:
            self._set_bits(block, within // self.sector, -(-(within + len(data)) // self.sector), True)

    def _set_bits(self, block: int, first: int, last: int, on: bool) -> None:
        at = self._bits_at(block)
        if at is None:
            self._write_file(self._bitmap_entry_at(block), struct.pack("<Q", self._append(MIB) | _FULL))
            at = self._bits_at(block)
            assert at is not None
        bits = int.from_bytes(self._read_file(at, self._bits_length), "little")
        mask = (1 << last) - (1 << first)
        bits = bits | mask if on else bits & ~mask
        self._write_file(at, bits.to_bytes(self._bits_length, "little"))

    def _append(self, length: int) -> int:
        at = -(-self._file_size() // MIB) * MIB
        self._file.truncate(at + length)
        return at

    def _note_written(self) -> None:
        """Be another content than before, once for each time that the file is open."""
        if not self._written:
            self._written = True
            self._header.data_id = uuid4()
            self._write_headers()

    def _write_headers(self) -> None:
        self._header.file_id = uuid4()
        for at in HEADERS:
            self._header.number += 1
            self._write_file(at, self._header.data())

    def _write_metadata(self) -> None:
        region = self._regions[METADATA_REGION]
        self._write_file(region.at, metadata_data(self._metadata).ljust(region.length, b"\0"))
        self._write_headers()

    # ---- another size ------------------------------------------------------------------------------------

    def resize(self, size: int) -> None:
        if not 0 < size <= MAXIMUM or size % self.sector:
            raise DiskError(f"a VHDX cannot have {size} bytes")
        old, blocks = self.size, -(-self.size // self._block)
        self._metadata.size = self.size = size
        self._make_room(_entries(self._metadata, self._ratio) * 8)
        wanted = -(-size // self._block)
        for block in range(wanted, blocks):
            self._write_file(self._entry_at(block), bytes(8))
        if self._metadata.fixed:
            for block in range(blocks, wanted):
                self._write_file(self._entry_at(block), struct.pack("<Q", self._append(self._block) | _FULL))
        self._zero_tail(old, size, self._block)
        self._write_metadata()

    def _make_room(self, length: int) -> None:
        """Move the block table to the end of the file if it has become too big for its place."""
        region = self._regions[BAT_REGION]
        if length <= region.length:
            return
        table = self._read_file(region.at, region.length)
        length = -(-length // MIB) * MIB
        self._regions[BAT_REGION] = Region(self._append(length), length)
        self._write_file(self._regions[BAT_REGION].at, table)
        for at in REGION_TABLES:
            self._write_file(at, regions_data(self._regions))


def _bit(bits: bytes, number: int) -> bool:
    return bool(bits[number >> 3] >> (number & 7) & 1)


def locator(content_id: UUID, name: str, child: str) -> dict[str, str]:
    """Return what a child says of its parent."""
    return {
        "parent_linkage": f"{{{content_id}}}",
        "relative_path": relative(name, child),
        "absolute_win32_path": name,
    }


def relative(name: str, child: str) -> str:
    """Return the path of the parent as it is from the child's folder."""
    folder, own = name.rpartition("\\")[0], child.rpartition("\\")[0]
    return ".\\" + name.rpartition("\\")[2] if folder.casefold() == own.casefold() else name
