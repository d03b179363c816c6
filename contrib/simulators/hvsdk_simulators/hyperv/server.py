"""A whole Hyper-V host that listens: WinRM, what runs in its shells, and the control door."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from hvsdk_simulators.winrm.accounts import Accounts
from hvsdk_simulators.winrm.client_certificates import ClientCertificates
from hvsdk_simulators.winrm.endpoint import Endpoint
from hvsdk_simulators.winrm.login import Connections, Ways
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
CLIENT = "administrator@localhost"
"""The principal name in the client's certificate that is mapped to the administrator."""
_KERBEROS_HOST = "localhost"
_FIRST_WITH_TLS_1_3 = 2022


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
        self._certificates = self._client_certificates()
        connections = Connections(accounts, self._ways(), self._counters.call)
        endpoint = Endpoint(
            self._service, connections, self._counters, self._faults, options.latency, options.url_prefix
        )
        self._fingerprint = ""
        self._server = HttpServer(endpoint.answer, context=self._tls())
        subject = HostSubject(self.world, shells, accounts)
        self._control = ControlDoor(subject, self._counters, self._faults, control)

    def _client_certificates(self) -> ClientCertificates | None:
        if not self.world.options.client_certificates:
            return None
        made = ClientCertificates(mapped={CLIENT: ADMINISTRATOR})
        self._certificate_folder.mkdir(mode=0o700)
        made.write(self._certificate_folder, CLIENT)
        return made

    @property
    def _certificate_folder(self) -> Path:
        return self._directory / "certificates"

    def _ways(self) -> Ways:
        """Return how one may log in, and let Kerberos know its keys."""
        options = self.world.options
        if options.keytab is not None:
            os.environ["KRB5_KTNAME"] = f"FILE:{options.keytab}"
        return Ways(
            secure=options.tls,
            credssp=options.credssp,
            kerberos=None if options.keytab is None else _KERBEROS_HOST,
            certificates=self._certificates,
            newest_tls=self._newest_tls,
        )

    @property
    def _newest_tls(self) -> ssl.TLSVersion:
        new = self.world.options.version >= _FIRST_WITH_TLS_1_3
        return ssl.TLSVersion.TLSv1_3 if new else ssl.TLSVersion.TLSv1_2

    def _tls(self) -> ssl.SSLContext | None:
        options = self.world.options
        if not options.tls:
            return None
        identity = make_identity(self.world.node, ["127.0.0.1"])
        self._fingerprint = identity.fingerprint
        context = server_context(identity, legacy=options.tls_legacy)
        if not options.tls_legacy:
            context.maximum_version = self._newest_tls
        if self._certificates is not None:
            self._certificates.ask(context)
        return context

    @property
    def _address(self) -> str:
        scheme = "https" if self.world.options.tls else "http"
        return f"{scheme}://127.0.0.1:{self._server.port}/{self.world.options.url_prefix}"

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
        options = self.world.options
        scheme = "hyperv" if options.tls else "hyperv+http"
        host = "127.0.0.1" if options.keytab is None else _KERBEROS_HOST  # a ticket is for a name
        path = "" if options.url_prefix == Options().url_prefix else f"/{options.url_prefix}"
        return {
            "url": f"{scheme}://{ADMINISTRATOR}@{host}:{self._server.port}{path}",
            "username": ADMINISTRATOR,
            "password": options.password,
            "fingerprint": self._fingerprint,
            "control": self._control.url,
            "members": [{"name": name} for name in self.world.nodes],
            "root": str(self.world.root),
            "certificates": None if self._certificates is None else str(self._certificate_folder),
            "pid": os.getpid(),
        }
