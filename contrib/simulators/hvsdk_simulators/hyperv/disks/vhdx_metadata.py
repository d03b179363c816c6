"""The metadata of a VHDX file: what disk it holds, and what that lies on."""

from __future__ import annotations

import struct
from uuid import UUID, uuid4

import attrs

from .image import DiskError

__all__ = ["Metadata", "metadata_data", "read_metadata"]

_FILE = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_PAGE_83 = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
_LOGICAL = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
_LOCATOR = UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_LOCATOR_TYPE = UUID("b04aefb7-d19e-4a81-b789-25b8e9445913")
_ENTRY = struct.Struct("<16sIIII")
_ITEMS_AT = 64 << 10
_VIRTUAL_DISK, _REQUIRED = 2, 4


@attrs.define(kw_only=True)
class Metadata:
    """What disk a file holds."""

    size: int
    block_size: int
    fixed: bool = False
    logical_sector: int = 512
    physical_sector: int = 4096
    id: UUID = attrs.field(factory=uuid4)
    parent: dict[str, str] | None = None
    """The parent locator: `parent_linkage`, `relative_path`, `absolute_win32_path`."""


def metadata_data(metadata: Metadata) -> bytes:
    """Return the metadata region as it is in the file."""
    has_parent = metadata.parent is not None
    items = [
        (_FILE, struct.pack("<II", metadata.block_size, metadata.fixed | has_parent << 1), _REQUIRED),
        (_SIZE, struct.pack("<Q", metadata.size), _VIRTUAL_DISK | _REQUIRED),
        (_PAGE_83, metadata.id.bytes_le, _VIRTUAL_DISK | _REQUIRED),
        (_LOGICAL, struct.pack("<I", metadata.logical_sector), _VIRTUAL_DISK | _REQUIRED),
        (_PHYSICAL, struct.pack("<I", metadata.physical_sector), _VIRTUAL_DISK | _REQUIRED),
    ]
    if metadata.parent is not None:
        items.append((_LOCATOR, _locator_data(metadata.parent), _REQUIRED))
    table, content = struct.pack("<8sHH20x", b"metadata", 0, len(items)), b""
    for one, data, flags in items:
        table += _ENTRY.pack(one.bytes_le, _ITEMS_AT + len(content), len(data), flags, 0)
        content += data
    return table.ljust(_ITEMS_AT, b"\0") + content


def _locator_data(pairs: dict[str, str]) -> bytes:
    at = 20 + 12 * len(pairs)
    entries, text = b"", b""
    for key, value in pairs.items():
        key_data, value_data = key.encode("utf-16-le"), value.encode("utf-16-le")
        begin = at + len(text)
        entries += struct.pack("<IIHH", begin, begin + len(key_data), len(key_data), len(value_data))
        text += key_data + value_data
    return _LOCATOR_TYPE.bytes_le + struct.pack("<HH", 0, len(pairs)) + entries + text


def read_metadata(data: bytes) -> Metadata:
    """Return the metadata of a region.

    Raises:
        DiskError: Something is missing or broken.
    """
    try:
        return _read(data)
    except (struct.error, KeyError, UnicodeDecodeError) as exc:
        raise DiskError(f"the metadata of the VHDX is broken ({exc})") from exc


def _read(data: bytes) -> Metadata:
    signature, _, count = struct.unpack_from("<8sHH", data)
    if signature != b"metadata":
        raise DiskError("the VHDX has no metadata")
    items = {}
    for number in range(min(count, 2047)):
        one, at, length, _, _ = _ENTRY.unpack_from(data, 32 + number * _ENTRY.size)
        items[UUID(bytes_le=one)] = data[at : at + length]
    block_size, flags = struct.unpack_from("<II", items[_FILE])
    return Metadata(
        size=struct.unpack_from("<Q", items[_SIZE])[0],
        block_size=block_size,
        fixed=bool(flags & 1),
        logical_sector=struct.unpack_from("<I", items[_LOGICAL])[0],
        physical_sector=struct.unpack_from("<I", items[_PHYSICAL])[0],
        id=UUID(bytes_le=bytes(items[_PAGE_83])),
        parent=_read_locator(items[_LOCATOR]) if flags & 2 else None,
    )


def _read_locator(data: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from("<H", data, 18)
    found = {}
    for number in range(count):
        key_at, value_at, key_length, value_length = struct.unpack_from("<IIHH", data, 20 + 12 * number)
        key = data[key_at : key_at + key_length].decode("utf-16-le")
        found[key] = data[value_at : value_at + value_length].decode("utf-16-le")
    return found
