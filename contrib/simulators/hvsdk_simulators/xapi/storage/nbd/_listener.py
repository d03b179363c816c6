"""What listens for NBD clients at a member of the pool, and finds the disk that each of them names."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from hvsdk_simulators.xapi import roles, sessions
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.storage.connections import hosts_of
from hvsdk_simulators.xapi.storage.vbd_rules import sharing_refusal
from hvsdk_simulators.xapi.world import Member, World

from ._connection import Connection, ProtocolError

LIMIT = 16
"""Clients that a member serves at a time; the next is hung up on."""
SECURE, INSECURE = "nbd", "insecure_nbd"
_BACKLOG = 32
_ROLE = "vm-admin"
"""Who reads a disk has it plugged into a control domain first."""


class NbdServer:
    """Listens on the loopback address until it is stopped.

    Whether with TLS or without follows, for each client anew, from the purposes of the pool's networks: with neither
    purpose, or with both, nobody is served.

    Args:
        world: The pool.
        member: The host whose server it is.
        context: With the host's certificate and key.
        sent: Told how many bytes of a disk went out.
    """

    def __init__(self, world: World, member: Member, context: ssl.SSLContext, sent: Callable[[int], None]) -> None:
        self._sent = sent
        self._world = world
        self._member = member
        self._context = context
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name=f"nbd-{self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        with self._lock:
            self._stopped = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()
        self._thread.join()

    def hang_up(self) -> int:
        """Cut all connections, and return how many there were; new ones are served."""
        with self._lock:
            clients = list(self._clients)
            for client in clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        return len(clients)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            handle = client.dup()  # TLS takes the socket over; this one still cuts the connection
            with self._lock:
                welcome = self._member.alive and not self._stopped and len(self._clients) < LIMIT
                if welcome:
                    self._clients.add(handle)
                    self._member.connections.add(handle)
            if welcome:
                arguments = (client, handle)
                threading.Thread(target=self._serve, args=arguments, name="nbd-client", daemon=True).start()
            else:
                client.close()
                handle.close()

    def _serve(self, client: socket.socket, handle: socket.socket) -> None:
        connection = None
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(client, self._context if self._secure() else None, self._sent)
            vdi = self._vdi(connection.negotiate())
            with self._world.storage.readers.opened(vdi):
                connection.serve(self._world.storage.disk(vdi))
        except (OSError, ProtocolError, Failure):
            return
        finally:
            with self._lock:
                self._clients.discard(handle)
                self._member.connections.discard(handle)
            for one in (client, handle) if connection is None else (connection.stream, client, handle):
                one.close()

    def _secure(self) -> bool:
        with self._world.lock:
            purposes = {purpose for network in self._world.db.all("network") for purpose in network["purpose"]}
        if len(purposes & {SECURE, INSECURE}) != 1:
            raise ProtocolError("no network is for NBD")
        return SECURE in purposes

    def _vdi(self, export: str) -> Object:
        """The disk that an export's name stands for: a path with its UUID, and a session that is alive."""
        parts = urlsplit(export)
        session = parse_qs(parts.query).get("session_id", [""])[0]
        world = self._world
        with world.lock:
            roles.demand(world, sessions.live(world, session, self._member.host), _ROLE, "vbd.create")
            vdi = world.db.find("VDI", parts.path.removeprefix("/"))
            if self._member.host not in hosts_of(world, world.db.get("SR", vdi["SR"])):
                raise ProtocolError("the host does not see the disk")
            refused = sharing_refusal(world, vdi, "RO")
            if refused is not None or vdi["type"] == "cbt_metadata":
                raise ProtocolError("the disk is not to be had")
        return vdi
