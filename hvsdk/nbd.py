"""A client of the NBD protocol for drivers whose product serves disks by it: reading, writing, asking for holes.

See https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md for the words used here.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from hvsdk import errors
from hvsdk.models import Extent

__all__ = ["NbdClient", "ServerGoneError", "receive"]

GREETING, OPTION_MAGIC, REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
REQUEST_MAGIC, SIMPLE_MAGIC, STRUCTURED_MAGIC = 0x25609513, 0x67446698, 0x668E33EF
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
OPT_EXPORT_NAME, OPT_ABORT, OPT_STARTTLS, OPT_INFO, OPT_GO, OPT_STRUCTURED, OPT_SET_META = 1, 2, 5, 6, 7, 8, 10
REP_ACK, REP_INFO, REP_META, REP_UNSUPPORTED = 1, 3, 4, 2**31 + 1
CMD_READ, CMD_WRITE, CMD_DISCONNECT, CMD_FLUSH, CMD_ZERO, CMD_STATUS = 0, 1, 2, 3, 6, 7
CAN_FLUSH, READ_ONLY, HAS_FLAGS = 4, 2, 1
_DATA, _HOLE, _STATUS, _ERROR = 1, 2, 5, 2**15
_PLAIN = -1
"""The data of a simple answer, which has no kinds."""
_LEAST = {_DATA: 8, _HOLE: 12, _STATUS: 12}
"""Bytes without which a part of an answer of this kind makes no sense."""
_NOT_NBD = "the disk's server answered in a way that is not NBD"
_ALLOCATION = b"base:allocation"
_AT_ONCE = 8 * 2**20
_STATUS_AT_ONCE = 2**30
_MOST_PARTS = 2**16
"""Of one answer: a piece of the disk that is read at once has no more sectors than a quarter of that."""


class ServerGoneError(errors.OperationFailedError):
    """The other end of an NBD connection has closed it."""


class NbdClient:
    """A connection to one export. Threads may share it: they take turns.

    Args:
        connection: A connected socket, whose own timeout bounds each wait. It belongs to the client from here on, and is
            closed with it, also when this fails.
        export: The name asked for. It is shown in no error: with some products it is a secret.
        start_tls: Wraps the socket once the server has agreed to TLS; whoever gives it checks the certificate there.

    Attributes:
        size: Bytes of the disk.

    Raises:
        ServerGoneError: The other end closed the connection.
        OperationFailedError: It does not speak NBD, has no such export, or has no TLS when that was asked for.
        OperationTimeoutError: It was silent for too long.
    """

    def __init__(
        self,
        connection: socket.socket,
        export: str = "",
        *,
        start_tls: Callable[[socket.socket], socket.socket] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._handles = itertools.count(1)
        self._socket = connection
        try:
            self.size, self._context = self._negotiate(export.encode(), start_tls)
        except BaseException:
            self._socket.close()
            raise

    @property
    def knows_holes(self) -> bool:
        """Whether the server tells which parts are allocated."""
        return self._context is not None

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly these bytes."""
        data = bytearray(length)
        for begin in range(0, length, _AT_ONCE):
            part = memoryview(data)[begin : begin + _AT_ONCE]
            with self._lock:
                self._request(CMD_READ, offset + begin, len(part))
                self._receive_data(offset + begin, part)
        return bytes(data)

    def extents(self) -> Iterator[Extent]:
        """Yield the whole export in order; one extent where the server does not know about holes."""
        if self._context is None:
            if self.size:
                yield Extent(offset=0, length=self.size)
            return
        offset = 0
        waiting: Extent | None = None
        while offset < self.size:
            for length, zero in self._status(offset, min(_STATUS_AT_ONCE, self.size - offset)):
                length = min(length, self.size - offset)
                if not length:
                    break  # the rest lies behind the end
                if waiting is not None and waiting.zero == zero:
                    waiting = waiting.replace(length=waiting.length + length)
                else:
                    if waiting is not None:
                        yield waiting
                    waiting = Extent(offset=offset, length=length, zero=zero)
                offset += length
        if waiting is not None:
            yield waiting

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write at an offset."""
        view = memoryview(data).cast("B")
        for begin in range(0, len(view), _AT_ONCE):
            part = view[begin : begin + _AT_ONCE]
            with self._lock:
                self._request(CMD_WRITE, offset + begin, len(part), part)
                self._receive_data(offset, memoryview(b""))

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, as a hole where the server can."""
        while length > 0:
            part = min(length, _STATUS_AT_ONCE)
            self._command(CMD_ZERO, offset, part)
            offset, length = offset + part, length - part

    def flush(self) -> None:
        """Return when what was written is on the disk."""
        self._command(CMD_FLUSH, 0, 0)

    def close(self) -> None:
        """Say goodbye; twice is harmless."""
        with self._lock:
            if self._socket.fileno() < 0:
                return
            try:
                self._request(CMD_DISCONNECT, 0, 0)
            except (ServerGoneError, errors.OperationTimeoutError):
                pass  # that it is gone is what is wanted, and nobody waits for one that takes nothing in
            finally:
                self._socket.close()

    # ---- inside ------------------------------------------------------------------------------------------

    def _negotiate(
        self, export: bytes, start_tls: Callable[[socket.socket], socket.socket] | None
    ) -> tuple[int, int | None]:
        greeting = receive(self._socket, 18)
        if greeting[:16] != GREETING + OPTION_MAGIC:
            raise errors.OperationFailedError("the disk's server did not greet as an NBD server does")
        (offered,) = struct.unpack_from(">H", greeting, 16)
        self._send(struct.pack(">I", offered & (FIXED_NEWSTYLE | NO_ZEROES)))
        if start_tls is not None:
            if self._option(OPT_STARTTLS, b"")[-1][0] != REP_ACK:
                raise errors.OperationFailedError("the disk's server has no TLS, without which nothing is read from it")
            self._socket = start_tls(self._socket)
        context = self._ask_for_holes(export)
        replies = self._option(OPT_GO, struct.pack(">I", len(export)) + export + struct.pack(">H", 0))
        if replies[-1][0] == REP_UNSUPPORTED:
            return self._enter_export(export, padded=not offered & NO_ZEROES), context
        for kind, data in replies:
            if kind == REP_INFO and data[:2] == b"\0\0" and len(data) >= 10:
                return struct.unpack_from(">Q", data, 2)[0], context
        raise errors.OperationFailedError("the disk's server refused to show the disk")

    def _ask_for_holes(self, export: bytes) -> int | None:
        """Return the number by which the server tells of what is allocated, where it does."""
        if self._option(OPT_STRUCTURED, b"")[-1][0] != REP_ACK:
            return None
        query = struct.pack(">I", len(export)) + export + struct.pack(">II", 1, len(_ALLOCATION)) + _ALLOCATION
        for kind, data in self._option(OPT_SET_META, query):
            if kind == REP_META and len(data) >= 4:
                return int(struct.unpack_from(">I", data)[0])
        return None

    def _enter_export(self, export: bytes, *, padded: bool) -> int:
        """Ask for an export as servers without NBD_OPT_GO want it: one that has none just hangs up."""
        self._send(OPTION_MAGIC + struct.pack(">II", OPT_EXPORT_NAME, len(export)) + export)
        try:
            size, _ = struct.unpack(">QH", receive(self._socket, 10))
        except ServerGoneError as exc:
            raise errors.OperationFailedError("the disk's server refused to show the disk") from exc
        if padded:
            receive(self._socket, 124)
        return int(size)

    def _option(self, option: int, data: bytes) -> list[tuple[int, bytes]]:
        self._send(OPTION_MAGIC + struct.pack(">II", option, len(data)) + data)
        replies: list[tuple[int, bytes]] = []
        while len(replies) < _MOST_PARTS:
            magic, _, kind, length = struct.unpack(">QIII", receive(self._socket, 20))
            if magic != REPLY_MAGIC or length > 2**20:
                raise errors.OperationFailedError(_NOT_NBD)
            replies.append((kind, receive(self._socket, length)))
            if kind == REP_ACK or kind >= 2**31:
                return replies
        raise errors.OperationFailedError(_NOT_NBD)

    def _command(self, command: int, offset: int, length: int) -> None:
        with self._lock:
            self._request(command, offset, length)
            self._receive_data(offset, memoryview(b""))

    def _request(self, command: int, offset: int, length: int, data: memoryview | None = None) -> None:
        self._send(struct.pack(">IHHQQI", REQUEST_MAGIC, 0, command, next(self._handles), offset, length))
        if data is not None:
            self._send(data)

    def _send(self, data: bytes | memoryview) -> None:
        try:
            self._socket.sendall(data)
        except TimeoutError as exc:
            raise errors.OperationTimeoutError("the disk's server takes nothing in") from exc
        except OSError as exc:
            raise ServerGoneError("the connection to the disk's server is closed") from exc

    def _chunks(self, awaited: int) -> Iterator[tuple[int, bytes]]:
        """Yield the parts of the answer to the request just made, `awaited` being the bytes of a simple one."""
        for _ in range(_MOST_PARTS):
            (magic,) = struct.unpack(">I", receive(self._socket, 4))
            if magic == SIMPLE_MAGIC:
                code, _ = struct.unpack(">IQ", receive(self._socket, 12))
                _check(code)
                if awaited:
                    yield _PLAIN, receive(self._socket, awaited)
                return
            flags, kind, _, length = struct.unpack(">HHQI", receive(self._socket, 16))
            least = _LEAST.get(kind, 6 if kind >= _ERROR else 0)
            if magic != STRUCTURED_MAGIC or not least <= length <= _AT_ONCE + 2**20:
                raise errors.OperationFailedError(_NOT_NBD)
            payload = receive(self._socket, length)
            if kind >= _ERROR:
                _check(struct.unpack_from(">I", payload)[0], payload[6:].decode(errors="replace"))
            yield kind, payload
            if flags & 1:
                return
        raise errors.OperationFailedError(_NOT_NBD)

    def _receive_data(self, offset: int, into: memoryview) -> None:
        got = 0
        for kind, payload in self._chunks(len(into)):
            if kind == _PLAIN:
                into[:] = payload
                got = len(payload)
            elif kind == _DATA:
                at = struct.unpack_from(">Q", payload)[0] - offset
                if at < 0 or at + len(payload) - 8 > len(into):
                    raise errors.OperationFailedError(_NOT_NBD)
                into[at : at + len(payload) - 8] = payload[8:]
                got += len(payload) - 8
            elif kind == _HOLE:
                got += struct.unpack_from(">I", payload, 8)[0]  # it was zeros to begin with
        if got != len(into):
            raise errors.OperationFailedError(f"the disk's server sent {got} bytes of {len(into)}")

    def _status(self, offset: int, length: int) -> list[tuple[int, bool]]:
        found = []
        with self._lock:
            self._request(CMD_STATUS, offset, length)
            for kind, payload in self._chunks(0):
                if kind == _STATUS:
                    pairs = struct.iter_unpack(">II", payload[4 : len(payload) - (len(payload) - 4) % 8])
                    found += [(size, bool(flags & 2)) for size, flags in pairs if size]
        if not found:
            raise errors.OperationFailedError("the disk's server said nothing about what is allocated")
        return found


def receive(connection: socket.socket, length: int) -> bytes:
    """Return exactly `length` bytes from a socket.

    Raises:
        ServerGoneError: The other end closed it.
        OperationTimeoutError: It was silent for too long.
    """
    data = bytearray(length)
    view = memoryview(data)
    while view:
        try:
            count = connection.recv_into(view)
        except TimeoutError as exc:
            raise errors.OperationTimeoutError("the disk's server does not answer") from exc
        except OSError as exc:
            raise ServerGoneError("the connection to the disk's server broke") from exc
        if not count:
            raise ServerGoneError("the connection to the disk's server was closed")
        view = view[count:]
    return bytes(data)


def _check(code: int, text: str = "") -> None:
    if code == 28:
        raise errors.InsufficientResourcesError("no space is left for the disk")
    if code:
        raise errors.OperationFailedError(f"the disk cannot be read or written: {text or os.strerror(code)}")
