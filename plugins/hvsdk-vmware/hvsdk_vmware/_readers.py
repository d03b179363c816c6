"""Disks that are read: from their file on a datastore, at any place, or from a lease's stream, in order."""

from __future__ import annotations

import http.client
import threading
import weakref
from collections.abc import Iterable, Iterator

from hvsdk.driver import Deadline, DiskReader, Extent, errors

from hvsdk_vmware._datastore_files import RemoteFile
from hvsdk_vmware._lease import LeaseShare, LeaseShares
from hvsdk_vmware._lease_url import LeasedFile, begin_transfer
from hvsdk_vmware._session import VmwareSession
from hvsdk_vmware._transfer import Transfer
from hvsdk_vmware._vmdk import SECTOR, BrokenVmdkError, VmdkHeader, read_grains, read_header

__all__ = ["FileReader", "LeaseReader", "LeaseStream"]

_TRIES = 3
"""How often a stream is begun anew when it breaks at the same place."""
_BROKEN = (OSError, http.client.HTTPException)


class FileReader(DiskReader):
    """A disk whose bytes are one file of a datastore; what is empty is sent as well."""

    def __init__(self, file: RemoteFile) -> None:
        self.size = file.size
        self._file = file
        self._closed = False

    def extents(self) -> Iterable[Extent]:
        return [Extent(offset=0, length=self.size)]

    def read(self, offset: int, length: int) -> bytes:
        if self._closed:
            raise errors.OperationFailedError("the disk was closed")
        return self._file.read(offset, length)

    def close(self) -> None:
        self._closed = True

    drop = leave = close


class LeaseReader(DiskReader):
    """A disk as a lease sends it: what is empty is not sent, and what was passed over is sent again from the beginning.

    One that is forgotten gives its lease back when it is collected.
    """

    def __init__(self, stream: LeaseStream) -> None:
        self.size = stream.size
        self._stream = stream
        self._forgotten = weakref.finalize(self, _close_later, stream)
        self._forgotten.atexit = False  # the connection ends its leases when it is closed

    def extents(self) -> Iterable[Extent]:
        return self._stream.extents()

    def read(self, offset: int, length: int) -> bytes:
        return self._stream.read(offset, length)

    def close(self) -> None:
        self._forgotten.detach()
        self._stream.close()

    def drop(self) -> None:
        """Let the connection go, with whoever reads on it, and say nothing."""
        self._forgotten.detach()
        self._stream.drop()

    def leave(self) -> None:
        """Let go in a forked child what the parent goes on with."""
        self._forgotten.detach()
        self._stream.leave()


def _close_later(stream: LeaseStream) -> None:
    """Close a stream that nobody has any more; collecting an object must not wait for a server."""
    threading.Thread(target=stream.close, name="hvsdk-vmware-lease-end", daemon=True).start()


class LeaseStream:
    """The stream of one disk of a lease, begun again where it breaks: parts of it cannot be asked for.

    Args:
        size: Bytes of the disk, which the stream has to agree with.
        shares: Where the lease is given back.
        deadline: For its beginning.

    Raises:
        BrokenVmdkError: It is none that can be read.
    """

    def __init__(
        self,
        session: VmwareSession,
        file: LeasedFile,
        size: int,
        shares: LeaseShares,
        share: LeaseShare,
        deadline: Deadline,
    ) -> None:
        self.size = size
        self._session = session
        self._file = file
        self._shares = shares
        self._share = share
        self._lock = threading.Lock()
        self._given_up = False
        """Whether it is about to be closed; a stream that breaks then is not begun anew."""
        self._closed = False
        self._passed = 0
        """The end of the last grain that was let go: what comes before is sent anew only."""
        self._grain: tuple[int, bytes] | None = None
        """The grain that comes next, or is being read."""
        self._ended = False
        self._runs: list[list[int]] = []
        """Where data was seen, from the beginning of the disk to where the stream is."""
        self._transfer: Transfer | None = None
        self._begin(deadline)

    # ---- the stream --------------------------------------------------------------------------------------

    def _begin(self, deadline: Deadline | None = None) -> None:
        transfer = begin_transfer(self._session, self._file, "GET", {}, deadline=deadline)
        self._transfer = transfer
        try:
            self._check_open()  # who closed it meanwhile has not seen this transfer
            if transfer.status != 200:
                raise self._refused(transfer.status)
            self._header = read_header(transfer.read)
            self._check(self._header)
        except BaseException:
            transfer.close()
            raise
        self._grains: Iterator[tuple[int, bytes]] = read_grains(transfer.read, self._header)
        self._passed, self._grain, self._ended, self._runs = 0, None, False, []

    def _check_open(self) -> None:
        if self._given_up:
            raise errors.OperationFailedError("the disk was closed, or the connection that it was opened on")

    def _refused(self, status: int) -> Exception:
        share = self._share.lease
        if share is not None:
            share.check()  # one that has ended says so
        return errors.OperationFailedError(
            f"the host does not send the disk (HTTP {status})", native_code=str(status), hint="see the host's log"
        )

    def _check(self, header: VmdkHeader) -> None:
        """Refuse a stream of another size; it may be rounded up to whole grains."""
        least = -(-self.size // SECTOR) * SECTOR
        if not least <= header.size < least + header.grain:
            raise BrokenVmdkError(f"the VMDK that was sent is of {header.size} bytes, but the disk has {self.size}")

    def _next(self) -> None:
        """Go to the next grain that has data, with a new stream when this one breaks."""
        tries = _TRIES
        wanted = self._passed if self._grain is None else self._grain[0] + self._header.grain
        while True:
            try:
                self._step()
                while not self._ended and self._grain is not None and self._grain[0] < wanted:
                    self._step()
                return
            except TimeoutError:
                raise  # a silent host is not asked three times
            except _BROKEN as exc:
                tries -= 1
                if not tries or self._given_up:
                    raise errors.ConnectionLostError(f"the stream of the disk broke ({type(exc).__name__})") from exc
                self._restart()

    def _step(self) -> None:
        if self._grain is not None:
            self._passed = self._grain[0] + self._header.grain
        self._grain = next(self._grains, None)
        if self._grain is None:
            self._ended, self._passed = True, self.size
            if self._share.lease is not None:
                self._share.lease.percent = 100
            return
        begin, end = self._grain[0], min(self._grain[0] + self._header.grain, self.size)
        if self._runs and self._runs[-1][1] == begin:
            self._runs[-1][1] = end
        else:
            self._runs.append([begin, end])
        if self._share.lease is not None:
            self._share.lease.percent = min(99, end * 100 // self.size)

    def _restart(self) -> None:
        if self._transfer is not None:
            self._transfer.close()
        self._begin()

    # ---- reading -----------------------------------------------------------------------------------------

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly so many bytes; going back begins the stream anew."""
        with self._lock:
            self._check_open()
            if length and offset < self._passed and not (self._ended and not self._runs):
                self._restart()
            return self._read(offset, offset + length)

    def _read(self, begin: int, end: int) -> bytes:
        data = bytearray(end - begin)
        while begin < end:
            if self._grain is None and not self._ended:
                self._next()
            if self._grain is None or self._grain[0] >= end:
                break  # nothing but zeros before it
            place, content = self._grain
            first, last = max(begin, place), min(end, place + len(content), self.size)
            if first < last:
                data[first - begin : last - begin] = content[first - place : last - place]
            if min(place + self._header.grain, self.size) > end:
                break
            self._next()
        return bytes(data)

    def extents(self) -> list[Extent]:
        """Return where data is as far as the stream has come, and all that follows as data: it does not tell before."""
        with self._lock:
            runs = [(begin, end) for begin, end in self._runs]
            known = self.size if self._ended else runs[-1][1] if runs else 0
        found, position = [], 0
        for begin, end in runs:
            if position < begin:
                found.append(Extent(offset=position, length=begin - position, zero=True))
            found.append(Extent(offset=begin, length=end - begin))
            position = end
        if position < self.size:
            found.append(Extent(offset=position, length=self.size - position, zero=known == self.size))
        return found

    # ---- the end -----------------------------------------------------------------------------------------

    def close(self) -> None:
        """End it and give the lease back, whoever reads on it; twice is harmless."""
        self.drop()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._transfer is not None:
                self._transfer.close()
        self._shares.give_back(self._share, complete=self._ended)

    def drop(self) -> None:
        """Close the connection, and leave the lease to whoever ends them all."""
        self._given_up = True
        if self._transfer is not None:
            self._transfer.close()

    def leave(self) -> None:
        """Let the connection go in a forked child: it is the parent's."""
        self._given_up = True
        self._lock = threading.Lock()  # a thread of the parent's may have it
        if self._transfer is not None:
            self._transfer.leave()
