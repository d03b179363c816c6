"""Virtual hard disks as files: VHDX and VHD, fixed, dynamic and differencing.

All files of a host lie in one directory, each named by its whole path on Windows; that is where parents are looked for.
"""

from __future__ import annotations

from .files import convert, create, find, info, merge, open, set_parent
from .image import BrokenChainError, DiskError, DiskInfo, DiskType, Format, Image, copy_range

__all__ = [
    "BrokenChainError",
    "DiskError",
    "DiskInfo",
    "DiskType",
    "Format",
    "Image",
    "convert",
    "copy_range",
    "create",
    "find",
    "info",
    "merge",
    "open",
    "set_parent",
]
