"""A whole pool that listens: its members, its NBD servers and its control door."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from hvsdk_simulators.wire.control import ControlDoor
from hvsdk_simulators.wire.counting import Counters
from hvsdk_simulators.wire.faults import Faults
from hvsdk_simulators.wire.server import HttpServer
from hvsdk_simulators.wire.tls import make_identity, server_context

from .build import build
from .control import PoolSubject
from .dispatch import Dispatcher
from .endpoint import Endpoint
from .options import Options
from .storage.nbd_info import serve_nbd
from .world import Member, World

__all__ = ["Pool"]


class Pool:
    """A pool of hosts that listen on 127.0.0.1, each on a port of its own, from `start` to `stop`.

    Args:
        options: What the pool is like.
        faults: Faults that it makes from the beginning on.
        control: The port of the control door, 0 for any.
    """

    def __init__(self, options: Options, faults: tuple[str, ...] = (), *, control: int = 0) -> None:
        self.world = World(options)
        self._counters = Counters()
        self._faults = Faults(*faults)
        build(self.world)
        self._dispatcher = Dispatcher(self.world)
        self._servers: list[Any] = []
        self.control = ControlDoor(PoolSubject(self.world), self._counters, self._faults, control)

    def start(self) -> None:
        """Begin to listen."""
        for member in self.world.members:
            self._listen(member)
        self.control.start()

    def stop(self) -> None:
        """Hang up on everybody."""
        self.world.stop()
        self.control.stop()
        for server in self._servers:
            server.stop()

    def describe(self) -> dict[str, Any]:
        """Return what a client needs, as the start line tells it."""
        options = self.world.options
        members = [
            {
                "uuid": member.host["uuid"],
                "address": member.address,
                "port": member.port,
                "fingerprint": member.fingerprint,
            }
            for member in self.world.members
        ]
        mapped = ",".join(f"{member.address}=127.0.0.1:{member.port}" for member in self.world.members)
        scheme = "xenapi" if options.tls else "xenapi+http"
        first = self.world.members[0]
        return {
            "url": f"{scheme}://root@127.0.0.1:{first.port}?address_map={quote(mapped, safe='=,:.')}",
            "username": "root",
            "password": options.password,
            "fingerprint": first.fingerprint,
            "control": self.control.url,
            "members": members,
            "pid": os.getpid(),
        }

    def _listen(self, member: Member) -> None:
        options = self.world.options
        identity = make_identity(member.host["hostname"], [member.address, "127.0.0.1"])
        member.certificate = identity.certificate
        context = server_context(identity, legacy=options.tls_legacy)
        if options.tls:
            member.context = context
            member.fingerprint = identity.fingerprint
        endpoint = Endpoint(self.world, member, self._dispatcher, self._counters, self._faults)
        server = HttpServer(
            endpoint.answer,
            context=context if options.tls else None,
            admit=lambda: member.alive,
            connections=member.connections,
        )
        member.port = server.port
        server.start()
        self._servers.append(server)
        self._servers.append(serve_nbd(self.world, member, context, lambda size: self._counters.sent("nbd", size)))
