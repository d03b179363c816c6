"""Reading a domain's disk and writing a volume, through the door."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from hvsdk._deadline import Deadline
from hvsdk._door import NoAnswer, cause_of
from hvsdk._refusal import say_what_was_refused
from hvsdk._waiting import Pauses
from hvsdk.capability import Capability
from hvsdk.errors import ConnectError, HvsdkError, InvalidSpecError, OperationFailedError, UnsupportedError

if TYPE_CHECKING:
    from hvsdk._door import Connection
    from hvsdk._driver.disk_io import DiskReader as DriverReader
    from hvsdk._driver.disk_io import DiskWriter as DriverWriter
    from hvsdk._driver.operation import Operation
    from hvsdk._driver.task import Task
    from hvsdk._host import Host
    from hvsdk.models import Extent

__all__ = ["DiskReader", "VolumeWriter"]

T = TypeVar("T")


def _is_zero(data: bytes) -> bool:
    return not data or (data[0] == 0 and data == bytes(len(data)))  # the first byte settles most of them


class _Stream:
    """What readers and writers share: calls through the door, ranges, closing."""

    def __init__(self, host: Host, connection: Connection, operation: Operation, size: int) -> None:
        self._host = host
        self._connection = connection
        self._operation = operation
        self._size = size
        self._closed = False

    @property
    def size(self) -> int:
        """Bytes, exactly what the guest sees."""
        return self._size

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def __reduce__(self) -> NoReturn:
        from hvsdk._recipe import refuse_pickle

        refuse_pickle(f"an open {type(self).__name__}", "pickle the domain or the volume, and open it over there")

    def _do(self, call: Callable[[], T]) -> T:
        if self._closed:
            raise OperationFailedError("this disk was closed", backend=self._host.backend, host=self._host.url)
        return self._through(call)

    def _through(self, call: Callable[[], T]) -> T:
        deadline = self._host._deadline()
        try:
            return self._host._door.on(self._connection, self._operation, lambda driver, limit: call(), deadline)
        except NoAnswer as silence:
            cause = cause_of(silence)
            raise cause from cause.__cause__
        except HvsdkError as exc:
            say_what_was_refused(self._operation, exc)
            raise

    def _see_through(self, call: Callable[[], Task[None] | None]) -> None:
        """Make a call, and wait for the task that it may return: as long as that goes on, for each step has its limit."""
        task = self._do(call)
        if task is None:
            return
        pauses = Pauses(Deadline(None))
        try:
            while not self._through(task.poll)[0]:
                seconds = pauses.next()
                if task.can_wait:
                    self._through(partial(task.wait, seconds))
                else:
                    time.sleep(seconds)
        except BaseException:
            with contextlib.suppress(HvsdkError):
                self._through(task.cancel)
            raise

    def _check(self, offset: int, length: int) -> None:
        if not isinstance(offset, int) or not isinstance(length, int):
            raise InvalidSpecError(f"offset and length are whole numbers, not {offset!r} and {length!r}")
        if offset < 0 or length < 0 or offset + length > self._size:
            raise InvalidSpecError(f"{length} bytes at {offset} are not within the disk's {self._size} bytes")


class DiskReader(_Stream):
    """A disk that is open for reading. Safe for threads.

    Use it in a `with` block (`with domain.open_disk(disk) as reader:`), which closes it. `size` is what the guest sees in
    bytes, `extents()` says where its holes are, `read(offset, length)` returns bytes. Without
    `Capability.DISK_RANDOM_READ` it can only be read in order, from the beginning.
    """

    def __init__(self, host: Host, connection: Connection, operation: Operation, reader: DriverReader) -> None:
        super().__init__(host, connection, operation, reader.size)
        self._reader = reader
        self._one_at_a_time = None if host.supports(Capability.DISK_RANDOM_READ) else threading.Lock()
        self._next = 0

    def extents(self) -> list[Extent]:
        """Return all of the disk in order; `zero` extents need not be read."""
        return self._do(lambda: list(self._reader.extents()))

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`.

        Raises:
            InvalidSpecError: They are not all within the disk.
            UnsupportedError: The product reads in order only, and this is not the next byte.
        """
        self._check(offset, length)
        if self._one_at_a_time is None:
            return self._exactly(offset, length)
        with self._one_at_a_time:
            if offset < self._next:
                raise UnsupportedError(
                    f"this product reads disks in order only: the next byte is {self._next}, not {offset}",
                    capability=Capability.DISK_RANDOM_READ,
                    backend=self._host.backend,
                    host=self._host.url,
                    hint="open the disk again to read from its beginning, or take chunks(), which go in order",
                )
            data = self._exactly(offset, length)
            self._next = offset + length
            return data

    def _exactly(self, offset: int, length: int) -> bytes:
        data = self._do(lambda: self._reader.read(offset, length))
        if len(data) != length:
            raise OperationFailedError(
                f"asked for {length} bytes at {offset}, got {len(data)}",
                backend=self._host.backend,
                host=self._host.url,
            )
        return data

    def chunks(self, size: int = 4 * 2**20) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, data) for all that is not zero, in order, `size` bytes at most at a time.

        Holes that the product tells are not read; blocks of zeros that it does not tell are read and left out, so that
        a copy that is written at these offsets has the holes either way.
        """
        for extent in self.extents():
            if extent.zero:
                continue
            for offset in range(extent.offset, extent.offset + extent.length, size):
                data = self.read(offset, min(size, extent.offset + extent.length - offset))
                if not _is_zero(data):
                    yield offset, data

    def close(self) -> None:
        """Give it up; twice is harmless."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(ConnectError):  # what was lost or closed with the connection is given up already
                self._through(self._reader.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<DiskReader of {self._operation.domain!r}, {self._size} bytes{', closed' if self._closed else ''}>"


class VolumeWriter(_Stream):
    """A volume that is open for writing; use it in a `with` block, which aborts when it is left by an error.

    With some products `flush` and `close` send the volume, and take as long as that takes.
    """

    def __init__(self, host: Host, connection: Connection, operation: Operation, writer: DriverWriter) -> None:
        super().__init__(host, connection, operation, writer.size)
        self._writer = writer

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write at `offset`.

        Raises:
            InvalidSpecError: It does not all fit within the volume; nothing was written.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InvalidSpecError(f"data is bytes, a bytearray or a memoryview, not a {type(data).__name__}")
        plain = memoryview(data.tobytes() if isinstance(data, memoryview) and not data.contiguous else data).cast("B")
        self._check(offset, len(plain))
        self._do(lambda: self._writer.write(offset, plain))

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, without storing them where the format can."""
        self._check(offset, length)
        self._do(lambda: self._writer.zero(offset, length))

    def flush(self) -> None:
        """Return when what was written is safe."""
        self._see_through(self._writer.flush)

    def close(self) -> None:
        """Flush and finish; twice is harmless."""
        if not self._closed:
            self._see_through(self._writer.close)
            self._closed = True

    def abort(self) -> None:
        """Give it up; what was written may be lost. Harmless after `close`."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(ConnectError):  # what was lost or closed with the connection is given up already
                self._through(self._writer.abort)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *more: Any) -> None:
        if kind is None:
            try:
                self.close()
            except BaseException:
                self.abort()
                raise
        else:
            self.abort()

    def __repr__(self) -> str:
        return f"<VolumeWriter, {self._size} bytes{', closed' if self._closed else ''}>"
