"""Virtual hard disks by the paths of their files, with the files that they lie on."""

from __future__ import annotations

import ntpath
import time
from pathlib import Path
from typing import IO
from uuid import uuid4

from . import vhd, vhdx
from .image import BrokenChainError, DiskError, DiskInfo, DiskType, Format, Image, copy_range
from .vhdx_metadata import Metadata

__all__ = ["convert", "create", "find", "info", "merge", "open", "set_parent"]

_BLOCKS = {"vhdx": 32 << 20, "vhd": 2 << 20}
_BLOCK_OF_CHILD = 2 << 20
_opened = open


def find(directory: Path, name: str) -> Path | None:
    """Return the file with this path on Windows, in any case, of a directory of files that are named by their paths."""
    exact = directory / name
    if "/" not in name and exact.is_file():
        return exact
    wanted = name.casefold()
    return next((one for one in directory.iterdir() if one.name.casefold() == wanted), None)


def create(
    path: Path,
    format: Format,
    type: DiskType,
    size: int | None = None,
    *,
    block_size: int | None = None,
    parent: Path | None = None,
    parent_name: str | None = None,
    sector_size: int = 512,
) -> None:
    """Make a new file.

    Args:
        size: Bytes that a guest sees; a differencing disk has its parent's when none are given.
        parent: The file that a differencing disk lies on.
        parent_name: Its path on Windows; the name of the file without it.

    Raises:
        DiskError: It cannot be of this size or kind.
        FileExistsError: There is such a file.
    """
    if (type == "differencing") != (parent is not None):
        raise DiskError("a differencing disk has a parent, and only that")
    if parent is not None:
        told = info(parent)
        size, sector_size = size or told.size, told.logical_sector_size
        if told.format != format:
            raise DiskError(f"a {format.upper()} cannot lie on a {told.format.upper()}")
    _check(format, size or 0, sector_size)
    block = block_size or (_BLOCK_OF_CHILD if parent is not None else _BLOCKS[format])
    with _opened(path, "xb+", buffering=0) as file:
        try:
            _make(file, format, type, size or 0, block, sector_size)
        except BaseException:
            path.unlink()
            raise
    if parent is not None:
        try:
            set_parent(path, parent, parent_name)
        except BaseException:
            path.unlink()
            raise


def _check(format: Format, size: int, sector_size: int) -> None:
    maximum = vhd.MAXIMUM if format == "vhd" else vhdx.MAXIMUM
    if not 0 < size <= maximum or size % sector_size or (format == "vhd" and sector_size != 512):
        raise DiskError(f"there is no {format.upper()} of {size} bytes in sectors of {sector_size}")


_INFOS: dict[str, tuple[tuple[int, int, int], DiskInfo]] = {}
_MOST_INFOS = 20_000
_CLOCK_TICK = 100_000_000


def _make(file: IO[bytes], format: Format, type: DiskType, size: int, block: int, sector_size: int) -> None:
    if format == "vhd":
        vhd.make_vhd(file, type, size, block)
        return
    nobody = {"parent_linkage": f"{{{uuid4()}}}"} if type == "differencing" else None
    metadata = Metadata(size=size, block_size=block, fixed=type == "fixed", logical_sector=sector_size, parent=nobody)
    vhdx.make_vhdx(file, metadata)


def open(path: Path, writable: bool = False, *, chain: bool = True) -> Image:
    """Open a disk, and with `chain` all that it lies on; only the first one is written.

    Raises:
        DiskError: A file is none, or is damaged.
        BrokenChainError: A parent is not there or was written since, or the disks lie on each other.
        FileNotFoundError: There is no such file.
    """
    image = _open_one(path, writable)
    seen, last = {path.name.casefold()}, image
    try:
        while chain and last.parent_names():
            last.parent = _open_parent(last, seen)
            last = last.parent
    except BaseException:
        image.close()
        raise
    return image


def _open_one(path: Path, writable: bool) -> Image:
    file = _opened(path, "rb+" if writable else "rb", buffering=0)
    try:
        return vhdx.VhdxImage(path, file) if file.read(8) == b"vhdxfile" else vhd.VhdImage(path, file)
    except BaseException:
        file.close()
        raise


def _open_parent(child: Image, seen: set[str]) -> Image:
    for name in child.parent_names():
        whole = ntpath.normpath(ntpath.join(ntpath.dirname(child.path.name), name))
        found = find(child.path.parent, whole)
        if found is None:
            continue
        if found.name.casefold() in seen:
            raise BrokenChainError(f"{child.path.name} lies on itself")
        seen.add(found.name.casefold())
        parent = _open_one(found, False)
        if parent.info.content_id != child.info.parent_id:
            parent.close()
            raise BrokenChainError(f"{found.name} is not what {child.path.name} was made on: it was written since")
        return parent
    raise BrokenChainError(f"the parent of {child.path.name} is not there: {child.info.parent_path}")


def info(path: Path) -> DiskInfo:
    """Return what a file says of its disk, without looking at its parents. It is read again once it was written."""
    stat = path.stat()
    key, state = str(path), (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    known = _INFOS.get(key)
    if known is not None and known[0] == state:
        return known[1]
    with open(path, chain=False) as image:
        found = image.info
    if time.time_ns() - stat.st_mtime_ns > _CLOCK_TICK:  # what is written within one tick of the clock is not seen
        if len(_INFOS) > _MOST_INFOS:
            _INFOS.clear()
        _INFOS[key] = (state, found)
    return found


def set_parent(path: Path, parent: Path, name: str | None = None) -> None:
    """Have a differencing disk lie on another file, as Set-VHD does."""
    with open(path, True, chain=False) as image, open(parent, chain=False) as other:
        image.set_parent(other, name or parent.name)


def merge(child: Path, into: Path) -> None:
    """Write what a differencing disk, and all between, hold into a disk that it lies on. The files of all stay.

    `into` is another content from then on: whatever else lies on it needs `set_parent`.

    Raises:
        DiskError: The disk does not lie on `into`.
    """
    with open(child) as image:
        between: list[Image] = []
        one: Image | None = image
        while one is not None and one.path.name != into.name:
            between.append(one)
            one = one.parent
        if one is None or not between:
            raise DiskError(f"{child.name} does not lie on {into.name}")
        with open(into, True) as target:
            if image.size > target.size:
                target.resize(image.size)
            for upper in reversed(between):
                for offset, length in upper.extents(own=True):
                    inside = min(length, target.size - offset)
                    if inside > 0:
                        copy_range(upper, target, offset, inside, zeros=True)


def convert(source: Path, destination: Path, format: Format, type: DiskType, *, block_size: int | None = None) -> None:
    """Copy a disk with all that it lies on into a new file of its own."""
    with open(source) as image:
        told = image.info
        sector = told.logical_sector_size if format == "vhdx" else 512
        create(destination, format, type, image.size, block_size=block_size, sector_size=sector)
        try:
            with open(destination, True) as target:
                for offset, length in image.extents():
                    copy_range(image, target, offset, length, zeros=False)
        except BaseException:
            destination.unlink()
            raise
