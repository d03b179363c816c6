"""Opening a volume for writing."""

from __future__ import annotations

from weakref import WeakSet

from hvsdk.driver import Capability, Deadline, DiskWriter, Target, errors

from hvsdk_hyperv._disk_chain import ChainReader, open_chain
from hvsdk_hyperv._paths import pool_path
from hvsdk_hyperv._session import HyperVSession
from hvsdk_hyperv._vhdx import VhdxLayer
from hvsdk_hyperv._vhdx_metadata import Metadata
from hvsdk_hyperv._volume_writer import VolumeWriter
from hvsdk_hyperv._volumes import volume_file
from hvsdk_hyperv._winrm_files import WinRmFiles

__all__ = ["VolumeIo"]


class VolumeIo(HyperVSession):
    """`open_volume`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._writers: WeakSet[VolumeWriter] = WeakSet()

    def close(self) -> None:
        """Give up what is open for writing with the connection that it is on."""
        self._give_up()
        super().close()

    def abandon(self) -> None:
        self._give_up()
        super().abandon()

    def _give_up(self) -> None:
        for writer in list(self._writers):
            writer.abort()

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        """Open a VHDX that no domain and no checkpoint of this host has, and that no disk lies on.

        What is written is gathered here; a new file is then made beside the old one, of which it takes the place.
        """
        volume = {"pool": pool_path(pool_id), "name": volume_file(pool_id, volume_id)}
        seen = self.call("volume_writing.look", volume, deadline=deadline)
        path = str(seen["path"])

        def content() -> ChainReader:
            return ChainReader(open_chain(WinRmFiles(self), path))

        reader = content()
        try:
            metadata = _writable(reader, path)
            is_empty = all(extent.zero for extent in reader.extents())
        finally:
            reader.close()
        writer = VolumeWriter(self, volume, seen, metadata, None if is_empty else content)
        self._writers.add(writer)
        return writer


def _writable(reader: ChainReader, path: str) -> Metadata:
    """Return what disk a file holds.

    Raises:
        UnsupportedError: It is of a kind that is not written.
    """
    layer = reader.chain.layers[0]
    if not isinstance(layer, VhdxLayer):
        raise errors.UnsupportedError(
            f"{path} is no VHDX, and only these are written",
            capability=Capability.OPEN_VOLUME,
            hint="Convert-VHD makes one of it, or make another volume: pool.create_volume(…)",
        )
    if layer.parent is not None:
        raise errors.UnsupportedError(
            f"{path} lies on another file, so that it is not written as a whole",
            capability=Capability.OPEN_VOLUME,
            hint="write to a volume of its own, and attach that",
        )
    return layer.metadata
