"""A whole Hyper-V host that listens: WinRM, what runs in its shells, and the control door."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from hvsdk_simulators.winrm.endpoint import Endpoint
from hvsdk_simulators.winrm.login import Accounts, Connections
from hvsdk_simulators.winrm.service import Service
from hvsdk_simulators.winrm.shells import Quotas, Shells
from hvsdk_simulators.wire.control import ControlDoor
from hvsdk_simulators.wire.counting import Counters
from hvsdk_simulators.wire.faults import Faults
from hvsdk_simulators.wire.server import HttpServer
from hvsdk_simulators.wire.tls import make_identity, server_context

from . import engines
from .cmdlets import registry
from .control import HostSubject
from .initial import populate
from .options import Options
from .world import World

__all__ = ["Server"]

ADMINISTRATOR = "Administrator"


class Server:
    """A host that listens on a port of 127.0.0.1, from `start` to `stop`.

    Args:
        options: What the host is like.
        faults: Faults that it makes from the beginning on.
        control: The port of the control door, 0 for any.
    """

    def __init__(self, options: Options, faults: tuple[str, ...] = (), *, control: int = 0) -> None:
        self._faults = Faults(*faults)
        self._counters = Counters()
        self._directory = Path(tempfile.mkdtemp(prefix="hvsdk-hyperv-"))
        root = self._directory / "files"
        root.mkdir()
        self.world = World(options, root)
        registry.load()
        populate(self.world)
        shells = Shells(partial(engines.start, self.world), Quotas())
        self._shells = shells
        self._service = Service(shells, self.world.node, lambda: self._address)
        accounts = Accounts({ADMINISTRATOR: options.password, "operator": options.password}, self._directory)
        connections = Connections(accounts, secure=options.tls)
        endpoint = Endpoint(self._service, connections, self._counters, self._faults, options.latency)
        self._fingerprint = ""
        context = None
        if options.tls:
            identity = make_identity(self.world.node, ["127.0.0.1"])
            self._fingerprint = identity.fingerprint
            context = server_context(identity, legacy=options.tls_legacy)
        self._server = HttpServer(endpoint.answer, context=context)
        self._control = ControlDoor(HostSubject(self.world, shells), self._counters, self._faults, control)

    @property
    def _address(self) -> str:
        scheme = "https" if self.world.options.tls else "http"
        return f"{scheme}://127.0.0.1:{self._server.port}/wsman"

    def start(self) -> None:
        """Begin to listen."""
        self._shells.begin()
        self._server.start()
        self._control.start()

    def stop(self) -> None:
        """Hang up on everybody, and remove the host's files."""
        self._service.stopping = True
        self.world.stop()
        self._control.stop()
        self._shells.stop()
        self._server.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def describe(self) -> dict[str, Any]:
        """Return what a client needs, as the start line tells it."""
        scheme = "hyperv" if self.world.options.tls else "hyperv+http"
        return {
            "url": f"{scheme}://{ADMINISTRATOR}@127.0.0.1:{self._server.port}",
            "username": ADMINISTRATOR,
            "password": self.world.options.password,
            "fingerprint": self._fingerprint,
            "control": self._control.url,
            "members": [{"name": name} for name in self.world.nodes],
            "root": str(self.world.root),
            "pid": os.getpid(),
        }
