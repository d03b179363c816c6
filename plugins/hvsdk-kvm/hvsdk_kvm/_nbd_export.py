"""Files of a remote host, served to a local qemu-nbd: libvirt moves the bytes, QEMU understands the format.

libvirt's streams give a volume's file as it is. So that nobody has to copy a whole qcow2 file to read a few sectors of
the disk in it, this is a small NBD server, in a thread, whose exports are such files.
"""

from __future__ import annotations

import functools
import socket
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress

import libvirt
from hvsdk import nbd
from hvsdk.driver import Deadline

from hvsdk_kvm._xml import parse_xml

__all__ = ["RemoteFile", "VolumeExports"]

_QCOW2 = b"QFI\xfb"
_CHUNK = 256 * 2**10
_BLOCK = 2**20
_BLOCKS = 32
_END_SECONDS = 10.0
"""How long `close` waits for a stream that libvirt does not give back."""


class RemoteFile:
    """The bytes of one volume, through streams of its connection.

    Args:
        size: What the export claims to hold: more than the file has when it is to grow.
    """

    def __init__(self, connection: libvirt.virConnect, volume: libvirt.virStorageVol, *, room: int = 0) -> None:
        self._connection = connection
        self._volume = volume
        self._end = _file_length(volume)
        self.writable = room > 0
        self.size = max(self._end, room)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Return these bytes, zeros behind the file's end; whole blocks are fetched and kept for a while."""
        with self._lock:
            first, last = offset // _BLOCK, (offset + length - 1) // _BLOCK
            data = b"".join(self._block(index) for index in range(first, last + 1))
        begin = offset - first * _BLOCK
        return data[begin : begin + length]

    def write(self, offset: int, data: bytes) -> None:
        """Write these bytes, behind the file's end too."""
        with self._lock:
            for index in range(offset // _BLOCK, (offset + len(data) - 1) // _BLOCK + 1):
                self._blocks.pop(index, None)
            stream = self._connection.newStream(0)
            self._volume.upload(stream, offset, len(data), 0)
            try:
                view = memoryview(data)
                while view:
                    view = view[stream.send(bytes(view[:_CHUNK])) :]
                stream.finish()
            except BaseException:
                _abort(stream)
                raise
            self._end = max(self._end, offset + len(data))

    def _block(self, index: int) -> bytes:
        found = self._blocks.pop(index, None)
        if found is None:
            offset = index * _BLOCK
            found = self._download(offset, max(0, min(_BLOCK, self._end - offset))).ljust(_BLOCK, b"\0")
            if not index and not self.writable:
                found = _without_backing(found)
        self._blocks[index] = found
        if len(self._blocks) > _BLOCKS:
            self._blocks.popitem(last=False)
        return found

    def _download(self, offset: int, length: int) -> bytes:
        if not length:
            return b""
        stream = self._connection.newStream(0)
        self._volume.download(stream, offset, length, 0)
        data = bytearray()
        try:
            while part := stream.recv(_CHUNK):
                data += part
            stream.finish()
        except BaseException:
            _abort(stream)
            raise
        return bytes(data)


class VolumeExports:
    """An NBD server on a unix socket, one export for each file; ends with `close`."""

    def __init__(self, path: str, files: Mapping[str, RemoteFile]) -> None:
        self.path = path
        self._files = files
        self.failure: BaseException | None = None
        """The first thing that went wrong with a stream: QEMU only gets to know that something did."""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept, "hvsdk-volumes")

    def close(self) -> None:
        """End it and whoever is connected, and wait for the threads."""
        for connection in (self._server, *self._clients):
            with suppress(OSError):  # wakes the thread that waits there
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        until = Deadline(_END_SECONDS)
        for thread in tuple(self._threads):
            if thread is not threading.current_thread():
                thread.join(until.remaining())

    def _start(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            self._start(functools.partial(self._serve, client), "hvsdk-volume")

    def _serve(self, client: socket.socket) -> None:
        try:
            file = self._negotiate(client)
            while file is not None and self._answer(client, file):
                pass
        except (nbd.ServerGoneError, OSError):
            return  # QEMU is gone; whoever reads the disk finds out there
        finally:
            client.close()

    def _negotiate(self, client: socket.socket) -> RemoteFile | None:
        client.sendall(nbd.GREETING + nbd.OPTION_MAGIC + struct.pack(">H", nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES))
        nbd.receive(client, 4)
        while True:
            _, option, length = struct.unpack(">8sII", nbd.receive(client, 16))
            data = nbd.receive(client, min(length, 2**16))
            if option == nbd.OPT_ABORT:
                return None
            if option not in (nbd.OPT_GO, nbd.OPT_INFO):
                _reply(client, option, nbd.REP_UNSUPPORTED)
                continue
            (count,) = struct.unpack_from(">I", data)
            file = self._files[data[4 : 4 + count].decode()]
            flags = nbd.HAS_FLAGS | (nbd.CAN_FLUSH if file.writable else nbd.READ_ONLY)
            _reply(client, option, nbd.REP_INFO, struct.pack(">HQH", 0, file.size, flags))
            _reply(client, option, nbd.REP_ACK)
            if option == nbd.OPT_GO:
                return file

    def _answer(self, client: socket.socket, file: RemoteFile) -> bool:
        _, _, command, handle, offset, length = struct.unpack(">IHHQQI", nbd.receive(client, 28))
        if command == nbd.CMD_DISCONNECT:
            return False
        code, data = 0, b""
        payload = nbd.receive(client, length) if command == nbd.CMD_WRITE else b""
        try:
            if command == nbd.CMD_READ:
                data = file.read(offset, length)
            elif command == nbd.CMD_WRITE:
                file.write(offset, payload)
        except libvirt.libvirtError as exc:
            self.failure = self.failure or exc
            code = 5
        client.sendall(struct.pack(">IIQ", nbd.SIMPLE_MAGIC, code, handle) + (b"" if code else data))
        return True


def _reply(client: socket.socket, option: int, kind: int, data: bytes = b"") -> None:
    client.sendall(struct.pack(">QIII", nbd.REPLY_MAGIC, option, kind, len(data)) + data)


def _without_backing(data: bytes) -> bytes:
    """Hide the name of the file that a qcow2 file lies on: QEMU is told where that is, but would look there too."""
    return data[:8] + bytes(12) + data[20:] if data[:4] == _QCOW2 else data


def _file_length(volume: libvirt.virStorageVol) -> int:
    """Return the length of the volume's file, which for qcow2 has little to do with the disk's size."""
    xml = parse_xml(volume.XMLDesc(0))
    return int(xml.findtext("physical") or xml.findtext("capacity") or 0)


def _abort(stream: libvirt.virStream) -> None:
    with suppress(libvirt.libvirtError):  # it has ended by itself; the first error is the one to tell
        stream.abort()
