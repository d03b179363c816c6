"""A disk: a size and the topmost of its layers."""

import hashlib
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ._arena import BLOCK, Arena
from ._content import generated
from ._layer import Block, Layer

_ZEROS = bytes(BLOCK)
_PIECE = 16 * BLOCK
_HOLE = memoryview(bytes(_PIECE))


class Extent(NamedTuple):
    """A run of bytes that are all written, or all a hole."""

    offset: int
    length: int
    written: bool

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + self.length


class Disk:
    """A disk as its guest sees it.

    Snapshots, clones and copies share the layers written so far. Readers need no lock: a layer below the top never changes.
    """

    def __init__(self, arena: Arena, size: int, top: Layer | None = None) -> None:
        self.size = size
        self.changed: set[int] | None = None
        """Blocks written since changed block tracking last looked; None: nobody tracks."""
        self._arena = arena
        self._top = top or Layer(arena)
        self._shared = top is not None
        self._flat: tuple[Layer, int, dict[int, Block]] | None = None
        self._hashed: tuple[tuple[Layer, int, int], str] | None = None
        self._lock = threading.RLock()

    def fork(self) -> "Disk":
        """A second disk with the content that this one has now; what either writes later is its own."""
        with self._lock:
            self._shared = True
            return Disk(self._arena, self.size, self._top)

    def write(self, offset: int, content: bytes) -> None:
        """Write bytes, as the guest or an import does. Whole blocks of zeros become holes."""
        if offset < 0 or offset + len(content) > self.size:
            raise ValueError(f"{len(content)} bytes at {offset} do not fit in a disk of {self.size}")
        view = memoryview(content)
        with self._lock:
            while view:
                block, inside = divmod(offset, BLOCK)
                part = view[: BLOCK - inside]
                self._write_block(block, inside, part)
                offset, view = offset + len(part), view[len(part) :]

    def resize(self, size: int) -> None:
        """Grow the disk; what is new reads as zeros."""
        with self._lock:
            if self.changed is not None:
                self.changed.update(range(self.size // BLOCK, -(-size // BLOCK)))
            self.size = size

    @property
    def blocks(self) -> int:
        """Number of blocks, the last one perhaps not whole."""
        return -(-self.size // BLOCK)

    @property
    def written_bytes(self) -> int:
        """Bytes that are not holes."""
        return sum(1 for block in self._map().values() if block is not None) * BLOCK

    def written(self) -> list[int]:
        """Numbers of the blocks that are not holes, ascending."""
        return sorted(block for block, where in self._map().items() if where is not None)

    def bytes_above(self, base: "Disk") -> int:
        """Bytes that are in this disk's layers and not in another's which it stands on."""
        shared = {id(layer) for layer in base._top.chain()}
        own = {block for layer in self._top.chain() if id(layer) not in shared for block in layer.blocks}
        return len(own) * BLOCK

    def differing(self, base: "Disk") -> set[int]:
        """Blocks that one of the two has written since they were one disk; all that are written when they never were."""
        ours, theirs = self._top.chain(), base._top.chain()
        common = {id(layer) for layer in ours} & {id(layer) for layer in theirs}
        apart = [layer for layer in (*ours, *theirs) if id(layer) not in common]
        blocks = {block for layer in apart for block in layer.blocks}
        blocks.update(range(base.size // BLOCK, self.blocks) if self.size > base.size else ())
        return {block for block in blocks if block < self.blocks}

    def read(self, offset: int, length: int) -> bytes:
        """Read bytes, zeros where nothing was written and beyond the end of a last block."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // BLOCK, -(-end // BLOCK)
        content = b"".join(self._pieces(first, last))
        return content[offset - first * BLOCK : end - first * BLOCK]

    def extents(self, offset: int, length: int) -> Iterator[Extent]:
        """What is written and what is a hole in a range, in order, without gaps."""
        end = min(offset + length, self.size)
        written = self._written_between(offset // BLOCK, -(-end // BLOCK))
        for first, last in _runs(written):
            start, stop = max(first * BLOCK, offset), min(last * BLOCK, end)
            if start > offset:
                yield Extent(offset, start - offset, False)
            yield Extent(start, stop - start, True)
            offset = stop
        if offset < end:
            yield Extent(offset, end - offset, False)

    def sha256(self) -> str:
        """Hash of the whole content, holes as the zeros they read as; kept until something is written."""
        state = (self._top, self._top.version, self.size)
        if self._hashed is None or self._hashed[0] != state:
            digest = hashlib.sha256()
            for extent in self.extents(0, self.size):
                for start in range(extent.offset, extent.end, _PIECE):
                    length = min(_PIECE, extent.end - start)
                    digest.update(self.read(start, length) if extent.written else _HOLE[:length])
            self._hashed = (state, digest.hexdigest())
        return self._hashed[1]

    def _write_block(self, block: int, inside: int, part: memoryview) -> None:
        if len(part) == BLOCK:
            content = bytes(part)
        else:
            whole = bytearray(self._top.content(block) or _ZEROS)
            whole[inside : inside + len(part)] = part
            content = bytes(whole)
        self._put(block, None if content == _ZEROS else content)

    def _put(self, block: int, content: bytes | None) -> None:
        if self._shared:
            self._top, self._shared = Layer(self._arena, self._top), False
        self._top.put(block, content)
        if self.changed is not None:
            self.changed.add(block)

    def _map(self) -> dict[int, Block]:
        """Where each block is, all layers taken together."""
        with self._lock:
            top, version = self._top, self._top.version
            if self._flat is None or self._flat[0] is not top or self._flat[1] != version:
                flat: dict[int, Block] = {}
                for layer in reversed(top.chain()):
                    flat.update(layer.blocks)
                self._flat = (top, version, flat)
            return self._flat[2]

    def _written_between(self, first: int, last: int) -> Iterable[int]:
        where = self._map()
        if last - first < len(where):
            return [block for block in range(first, last) if where.get(block) is not None]
        return sorted(block for block, place in where.items() if place is not None and first <= block < last)

    def _pieces(self, first: int, last: int) -> Iterator[bytes]:
        top = self._top
        block = first
        while block < last:
            where = top.find(block)
            if isinstance(where, int):
                count = 1
                while block + count < last and top.find(block + count) == where + count:
                    count += 1
                yield self._arena.load(where, count)
                block += count
                continue
            yield _ZEROS if where is None else generated(where, block)
            block += 1


def _runs(blocks: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Neighbours taken together: (first, one past the last)."""
    first = last = None
    for block in blocks:
        if first is None or last is None:
            first, last = block, block + 1
        elif block == last:
            last += 1
        else:
            yield first, last
            first, last = block, block + 1
    if first is not None and last is not None:
        yield first, last
