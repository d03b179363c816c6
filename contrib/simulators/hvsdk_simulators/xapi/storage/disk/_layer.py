"""A layer: what was written since the layer below was frozen."""

import weakref
from collections.abc import Callable

from ._arena import Arena
from ._content import generated

Block = int | str | None
"""Where a block's content is: number in the arena, seed that it follows from, or None for zeros written over it."""


class Layer:
    """Blocks written above `parent`; frozen as soon as a second layer stands on it.

    Blocks in the arena are released when nobody, no disk and no reader, holds the layer any longer.
    """

    __slots__ = ("__weakref__", "_blocks", "_plan", "arena", "parent", "version")

    def __init__(self, arena: Arena, parent: "Layer | None" = None, plan: Callable[[], dict[int, Block]] | None = None):
        self.arena = arena
        self.parent = parent
        self.version = 0
        self._plan = plan
        self._blocks: dict[int, Block] | None = None
        if plan is None:
            self._keep({})

    @property
    def blocks(self) -> dict[int, Block]:
        """The layer's blocks, worked out now if they were only planned."""
        if self._blocks is None:
            assert self._plan is not None
            return self._keep(self._plan())
        return self._blocks

    def _keep(self, blocks: dict[int, Block]) -> dict[int, Block]:
        self._blocks = blocks
        weakref.finalize(self, _release, self.arena, blocks)
        return blocks

    def chain(self) -> list["Layer"]:
        """This layer and those below it, top first."""
        layers: list[Layer] = []
        layer: Layer | None = self
        while layer is not None:
            layers.append(layer)
            layer = layer.parent
        return layers

    def find(self, block: int) -> Block:
        """Where the content of a block is, looking down the chain; None also when it was never written."""
        layer: Layer | None = self
        while layer is not None:
            if block in layer.blocks:
                return layer.blocks[block]
            layer = layer.parent
        return None

    def content(self, block: int) -> bytes | None:
        """A block's content; None for zeros."""
        match self.find(block):
            case int(number):
                return self.arena.load(number)
            case str(seed):
                return generated(seed, block)
            case _:
                return None

    def put(self, block: int, content: bytes | None) -> None:
        """Write a whole block; None for zeros."""
        before = self.blocks.get(block)
        if content is not None and isinstance(before, int):
            self.arena.overwrite(before, content)
        else:
            self.blocks[block] = self.arena.store(content) if content is not None else None
            if isinstance(before, int):
                self.arena.release([before])
        self.version += 1


def _release(arena: Arena, blocks: dict[int, Block]) -> None:
    arena.release(number for number in blocks.values() if isinstance(number, int))
