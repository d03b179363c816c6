"""The structures of a VHDX file, as MS-VHDX has them. All numbers are little-endian."""

from __future__ import annotations

import struct
from uuid import UUID, uuid4

import attrs

from .crc32c import crc32c
from .image import DiskError

__all__ = [
    "BAT_REGION",
    "HEADERS",
    "LOG_AT",
    "METADATA_REGION",
    "MIB",
    "REGION_TABLES",
    "Header",
    "Region",
    "find_header",
    "identifier",
    "read_regions",
    "regions_data",
]

MIB = 1 << 20
HEADERS = (64 << 10, 128 << 10)
REGION_TABLES = (192 << 10, 256 << 10)
LOG_AT = MIB
BAT_REGION = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
_REGION = struct.Struct("<16sQII")
_NOBODY = UUID(int=0)


def identifier() -> bytes:
    """Return what every file begins with."""
    return b"vhdxfile" + "hvsdk simulated host".encode("utf-16-le").ljust(512, b"\0")


@attrs.define(kw_only=True)
class Header:
    """One of the two headers; the one with the higher number counts."""

    number: int = 1
    file_id: UUID = attrs.field(factory=uuid4)
    data_id: UUID = attrs.field(factory=uuid4)
    log_id: UUID = _NOBODY
    log_length: int = MIB
    log_at: int = LOG_AT

    def data(self) -> bytes:
        """Return it as it is in the file."""
        ids = [one.bytes_le for one in (self.file_id, self.data_id, self.log_id)]
        plain = _HEADER.pack(b"head", 0, self.number, *ids, 0, 1, self.log_length, self.log_at).ljust(4096, b"\0")
        return plain[:4] + struct.pack("<I", crc32c(plain)) + plain[8:]


def _checked(data: bytes, signature: bytes) -> bool:
    (told,) = struct.unpack_from("<I", data, 4)
    return data[:4] == signature and told == crc32c(data[:4] + bytes(4) + data[8:])


def _read_header(data: bytes) -> Header | None:
    if len(data) < 4096 or not _checked(data, b"head"):
        return None
    _, _, number, file_id, data_id, log_id, _, version, log_length, log_at = _HEADER.unpack_from(data)
    if version != 1:
        raise DiskError(f"version {version} of VHDX is not known")
    ids = [UUID(bytes_le=one) for one in (file_id, data_id, log_id)]
    return Header(number=number, file_id=ids[0], data_id=ids[1], log_id=ids[2], log_length=log_length, log_at=log_at)


def find_header(first: bytes, second: bytes) -> Header:
    """Return the header that counts.

    Raises:
        DiskError: None is whole, or there is a log that has to be played first.
    """
    found = [header for header in (_read_header(first), _read_header(second)) if header is not None]
    if not found:
        raise DiskError("neither header of the VHDX is whole")
    header = max(found, key=lambda one: one.number)
    if header.log_id != _NOBODY:
        raise DiskError("the VHDX has a log that has to be played")
    return header


@attrs.frozen
class Region:
    """A part of the file."""

    at: int
    length: int


def regions_data(regions: dict[UUID, Region]) -> bytes:
    """Return the region table as it is in the file."""
    entries = b"".join(_REGION.pack(one.bytes_le, region.at, region.length, 1) for one, region in regions.items())
    plain = (struct.pack("<4sIII", b"regi", 0, len(regions), 0) + entries).ljust(64 << 10, b"\0")
    return plain[:4] + struct.pack("<I", crc32c(plain)) + plain[8:]


def read_regions(data: bytes) -> dict[UUID, Region]:
    """Return a region table.

    Raises:
        DiskError: It is not whole.
    """
    if len(data) < 64 << 10 or not _checked(data, b"regi"):
        raise DiskError("the region table of the VHDX is not whole")
    (count,) = struct.unpack_from("<I", data, 8)
    found = {}
    for number in range(min(count, 2047)):
        one, at, length, _ = _REGION.unpack_from(data, 16 + number * _REGION.size)
        found[UUID(bytes_le=one)] = Region(at, length)
    if not {BAT_REGION, METADATA_REGION} <= found.keys():
        raise DiskError("the VHDX lacks its block table or its metadata")
    return found
