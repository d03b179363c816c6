"""A virtual disk with all files that it lies on."""

from __future__ import annotations

import ntpath
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
from hvsdk.driver import DiskReader, Extent, errors

from hvsdk_hyperv._host_files import DamagedDiskError, HostFile, HostFiles, Range, take
from hvsdk_hyperv._layers import PARENT, Layer, ParentLink, Piece
from hvsdk_hyperv._vhd import read_vhd
from hvsdk_hyperv._vhdx import MAGIC as VHDX
from hvsdk_hyperv._vhdx import VhdxLayer

__all__ = ["ChainReader", "DiskChain", "extents_of", "open_chain", "same_file"]

_DEEPEST = 128
"""Files upon each other; Hyper-V makes fifty checkpoints."""


@attrs.frozen
class DiskChain:
    """Files upon each other, the one that is written last first.

    Attributes:
        files: Where they are read.
        layers: At least one.
    """

    files: HostFiles
    layers: Sequence[Layer]

    @property
    def size(self) -> int:
        """Bytes of the disk."""
        return self.layers[0].size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the disk, in as few requests as there may be."""
        data = bytearray(length)
        wanted, places = [], []
        for layer, piece in self.find(offset, length):
            wanted.append(Range(layer.file, piece.source, piece.length))
            places.append(piece.offset - offset)
        for at, part in zip(places, self.files.read(wanted) if wanted else (), strict=True):
            data[at : at + len(part)] = part
        return bytes(data)

    def find(self, offset: int, length: int) -> list[tuple[Layer, Piece]]:
        """Return where the bytes of a range are that are stored at all. They are in no order."""
        found: list[tuple[Layer, Piece]] = []
        wanted = [(offset, length)]
        for layer in self.layers:
            wanted = [(at, min(count, layer.size - at)) for at, count in wanted if at < layer.size]
            below = []
            for piece in layer.pieces(wanted):
                if piece.source >= 0:
                    found.append((layer, piece))
                elif piece.source == PARENT:
                    below.append((piece.offset, piece.length))
            wanted = below
            if not wanted:
                break
        return found

    def extents(self) -> Iterator[Extent]:
        """Yield all of the disk in order."""

        def stored(offset: int, length: int) -> list[tuple[int, int]]:
            return [(piece.offset, piece.end) for _, piece in self.find(offset, length)]

        return extents_of(self.size, self.layers[0].window, stored)

    def above(self, path: str) -> list[Layer] | None:
        """Return the files above one of them; None when it is not among them."""
        for number, layer in enumerate(self.layers):
            if same_file(layer.file.path, path):
                return list(self.layers[:number])
        return None

    def close(self) -> None:
        """Close all files; twice is harmless."""
        self.files.close([layer.file for layer in self.layers])


class ChainReader(DiskReader):
    """A chain that is read as one disk."""

    def __init__(self, chain: DiskChain) -> None:
        self.chain = chain
        self.size = chain.size

    def extents(self) -> Iterable[Extent]:
        return self.chain.extents()

    def read(self, offset: int, length: int) -> bytes:
        return self.chain.read(offset, length)

    def close(self) -> None:
        self.chain.close()


def extents_of(size: int, window: int, stored: Callable[[int, int], list[tuple[int, int]]]) -> Iterator[Extent]:
    """Yield a disk in order, with neighbours of the same kind as one.

    Args:
        stored: Returns what of a range (offset, length) is stored, as (begin, end).
    """
    begin, zero = 0, True
    for at in range(0, size, window):
        position = at
        end = min(at + window, size)
        spans = sorted(stored(at, end - at))
        for low, high in [*spans, (end, end)]:
            for stop, empty in ((low, True), (high, False)):
                if stop <= position:
                    continue
                if empty != zero:
                    if position > begin:
                        yield Extent(offset=begin, length=position - begin, zero=zero)
                    begin, zero = position, empty
                position = stop
    if size > begin:
        yield Extent(offset=begin, length=size - begin, zero=zero)


def same_file(one: str, other: str) -> bool:
    """Return whether two paths on the host are the same, as Windows compares them."""
    return ntpath.normpath(one).casefold() == ntpath.normpath(other).casefold()


# ---- opening ---------------------------------------------------------------------------------------------


def open_chain(files: HostFiles, path: str) -> DiskChain:
    """Open a disk and all that it lies on. What was opened is closed again when that fails.

    Raises:
        DamagedDiskError: A file is damaged, or is none of a virtual disk, or they lie on each other in a circle.
        NotFoundError: The first one is not there.
        OperationFailedError: Another one is not there, or is not what it was.
        BusyError: Somebody writes one.
    """
    layers: list[Layer] = []
    opened: list[HostFile] = []
    try:
        layer = _open_layer(files, path, opened)
        layers.append(layer)
        while layer.parent is not None:
            if len(layers) >= _DEEPEST:
                raise DamagedDiskError(f"{path} lies on more than {_DEEPEST} files")
            layer = _open_parent(files, layer, layer.parent, layers, opened)
            layers.append(layer)
    except BaseException:
        files.close(opened)
        raise
    return DiskChain(files, layers)


def _open_layer(files: HostFiles, path: str, opened: list[HostFile]) -> Layer:
    file = files.open(path)
    opened.append(file)
    if file.size >= len(VHDX) and take(files, file, 0, len(VHDX), "the beginning") == VHDX:
        return VhdxLayer(files, file)
    return read_vhd(files, file)


def _open_parent(
    files: HostFiles, child: Layer, link: ParentLink, layers: Sequence[Layer], opened: list[HostFile]
) -> Layer:
    """Open the file below another one: the first of those that it may be which has the right content."""
    other: Layer | None = None
    paths = [ntpath.normpath(ntpath.join(ntpath.dirname(child.file.path), name)) for name in link.paths]
    paths = [path for path in paths if _is_near(path, child.file.path)]
    if not paths:
        raise errors.OperationFailedError(
            f"{child.file.path} says that it lies on a file of another server, which is not asked: {link.paths[0]}",
            hint="copy the domain to a disk of its own first (Convert-VHD, on a machine that may ask that server)",
        )
    for path in paths:
        if any(same_file(path, one.file.path) for one in layers):
            raise DamagedDiskError(f"{child.file.path} lies on itself: {path} is among the files above it")
        if other is not None and same_file(path, other.file.path):
            continue
        try:
            found = _open_layer(files, path, opened)
        except errors.NotFoundError:
            continue
        if found.id in link.ids:
            return found
        other = found
    if other is not None:
        raise errors.OperationFailedError(
            f"{other.file.path} is not what {child.file.path} was made on: it was written since, or is another file"
        )
    raise errors.OperationFailedError(f"{child.file.path} lies on a file that is not there: {paths[0]}")


def _is_near(path: str, child: str) -> bool:
    """Whether a path that a file names may be followed: a disk of a stranger must not lead the host to a server of his."""
    drive = ntpath.splitdrive(path)[0].casefold()
    is_away = drive.startswith("\\\\") and not drive.startswith("\\\\?\\volume{")
    return not is_away or drive == ntpath.splitdrive(child)[0].casefold()
