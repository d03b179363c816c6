"""`DiskReader` and `DiskWriter`: the bytes of disks and volumes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvsdk._driver.base import Result
    from hvsdk.models import Extent

__all__ = ["DiskReader", "DiskWriter"]


class DiskReader(ABC):
    """A disk that is being read, as `open_disk` returns it. Calls come from several threads unless the driver lacks
    `Capability.DISK_RANDOM_READ`; then they come one at a time and in order."""

    size: int
    """Bytes, exactly what the guest sees."""

    @abstractmethod
    def extents(self) -> Iterable[Extent]:
        """Yield all of the disk in order, holes marked as such; one extent where holes are not known."""

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes, all of them within the disk."""

    @abstractmethod
    def close(self) -> None:
        """Give it up; twice is harmless."""


class DiskWriter(ABC):
    """A volume that is being written, as `open_volume` returns it."""

    size: int
    """Bytes that the guest will see."""

    @abstractmethod
    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write at `offset`; all of it lies within the volume."""

    @abstractmethod
    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, without storing them where the format can."""

    @abstractmethod
    def flush(self) -> Result[None]:
        """Return when what was written is safe, or a task where that takes long: a call has the time of one answer."""

    @abstractmethod
    def close(self) -> Result[None]:
        """Flush and finish, or return a task for it; twice is harmless. After a failure it is tried again, or given up."""

    @abstractmethod
    def abort(self) -> None:
        """Give it up; what was written may be lost. Twice, or after `close`, is harmless."""
