"""Writing a disk: vSphere takes one as one stream only, a stream-optimised VMDK, see `_volume_import`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from hvsdk.driver import DiskReader
from hvsdk.gathering import GatheringWriter, no_room, temporary_file

from hvsdk_vmware._vmdk import GRAIN
from hvsdk_vmware._vmdk_writer import vmdk_pieces

__all__ = ["VolumeWriter"]


class VolumeWriter(GatheringWriter):
    """A volume that is sent whole when it is flushed or closed.

    Args:
        size: Bytes of the volume.
        content: Opens what is on the volume for reading, `None` when it is empty.
        put: Puts a VMDK in the place of the volume: the file, its length, something to call with the bytes that were
            sent, which raises when the caller has given up.
    """

    def __init__(
        self,
        size: int,
        content: Callable[[], DiskReader] | None,
        put: Callable[[IO[bytes], int, Callable[[int], None]], None],
    ) -> None:
        super().__init__(size, content)
        self._put_vmdk = put

    def send(self) -> None:
        with temporary_file() as packed:
            length = self._pack(packed)
            packed.seek(0)

            def moved(count: int) -> None:
                self.share = count / length
                self.check()

            self._put_vmdk(packed, length, moved)

    def _pack(self, packed: IO[bytes]) -> int:
        """Write the VMDK, and return its length, which has to be announced before it is sent."""
        length = 0
        with no_room():
            for piece in vmdk_pieces(self.size, self._grains()):
                self.check()
                packed.write(piece)
                length += len(piece)
            packed.flush()
        return length

    def _grains(self) -> Iterator[tuple[int, bytes]]:
        """Yield the grains that have anything but zeros, by their numbers."""
        for number in self.blocks(GRAIN):
            data = self.gathered(number * GRAIN, min(GRAIN, self.size - number * GRAIN))
            if data.count(0) != len(data):
                yield number, data
