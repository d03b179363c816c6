"""One connection of an NBD client: the handshake, and reads until the client says goodbye."""

import socket
import ssl
from collections.abc import Callable

from hvsdk_simulators.xapi.storage.disk import Disk

from . import _protocol as nbd

_CHUNK = 1 << 20
_SECTOR = 512


class ProtocolError(Exception):
    """The client is to be hung up on."""


class Connection:
    """A client, served as XenServer serves it: by name, read only, without lists of exports or of extents.

    Args:
        plain: The connection.
        context: For TLS, which the client must then ask for before anything else; None: it may not.
        sent: Told how many bytes of a disk go out.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext | None, sent: Callable[[int], None]) -> None:
        self._stream = plain
        self._context = context
        self._sent = sent
        self._secure = context is None

    @property
    def stream(self) -> socket.socket:
        """What to close in the end: the TLS connection once there is one."""
        return self._stream

    def negotiate(self) -> str:
        """Agree with the client, and return the name of the export that it wants.

        Raises:
            ProtocolError: It wants something else, or speaks another protocol.
        """
        self._stream.sendall(nbd.ANNOUNCEMENT)
        (flags,) = nbd.CLIENT_FLAGS.unpack(self._take(nbd.CLIENT_FLAGS.size))
        if not flags & nbd.FIXED_NEWSTYLE and not self._secure:
            raise ProtocolError("the client cannot ask for TLS")
        while True:
            magic, option, length = nbd.OPTION.unpack(self._take(nbd.OPTION.size))
            if magic != nbd.OPTION_MAGIC or length > nbd.MOST_OPTION_BYTES:
                raise ProtocolError("that is no option")
            content = self._take(length)
            if option == nbd.OPT_ABORT:
                raise ProtocolError("the client went away")
            if option == nbd.OPT_EXPORT_NAME:
                return self._name(content)
            self._answer(option)

    def serve(self, disk: Disk) -> None:
        """Tell the size of a disk, and send what is asked for."""
        self._stream.sendall(nbd.EXPORT.pack(disk.size, nbd.HAS_FLAGS | nbd.READ_ONLY))
        while True:
            magic, _flags, command, handle, offset, length = nbd.REQUEST.unpack(self._take(nbd.REQUEST.size))
            if magic != nbd.REQUEST_MAGIC:
                raise ProtocolError("that is no request")
            if command == nbd.DISCONNECT:
                return
            if command != nbd.READ or offset % _SECTOR or length % _SECTOR or offset + length > disk.size:
                self._stream.sendall(nbd.REPLY.pack(nbd.REPLY_MAGIC, nbd.EINVAL, handle))
                raise ProtocolError("the client asks for what there is not")
            self._send(disk, handle, offset, length)

    def _send(self, disk: Disk, handle: int, offset: int, length: int) -> None:
        self._sent(length)
        self._stream.sendall(nbd.REPLY.pack(nbd.REPLY_MAGIC, 0, handle))
        for start in range(offset, offset + length, _CHUNK):
            self._stream.sendall(disk.read(start, min(_CHUNK, offset + length - start)))

    def _name(self, content: bytes) -> str:
        if not self._secure:
            raise ProtocolError("the client wants a disk without TLS")
        try:
            return content.decode()
        except UnicodeDecodeError as exc:
            raise ProtocolError("the name of an export is text") from exc

    def _answer(self, option: int) -> None:
        if not self._secure and option == nbd.OPT_STARTTLS:
            assert self._context is not None
            self._reply(option, nbd.ACK)
            self._stream = self._context.wrap_socket(self._stream, server_side=True)
            self._secure = True
        elif not self._secure:
            self._reply(option, nbd.TLS_REQUIRED)
        elif option == nbd.OPT_STARTTLS:
            self._reply(option, nbd.POLICY if self._context is None else nbd.INVALID)
        else:
            self._reply(option, nbd.POLICY if option == nbd.OPT_LIST else nbd.UNSUPPORTED)

    def _reply(self, option: int, kind: int) -> None:
        self._stream.sendall(nbd.OPTION_REPLY.pack(nbd.OPTION_REPLY_MAGIC, option, kind, 0))

    def _take(self, length: int) -> bytes:
        taken = bytearray()
        while len(taken) < length:
            piece = self._stream.recv(length - len(taken))
            if not piece:
                raise ProtocolError("the client hung up")
            taken += piece
        return bytes(taken)
