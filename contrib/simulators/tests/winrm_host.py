"""A WinRM service for tests, with a real program behind its shells, and clients that others have written."""

from __future__ import annotations

import os
import re
import shlex
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pypsrp.wsman
import winrm
from hvsdk_simulators.hyperv.engines.output import Output
from hvsdk_simulators.winrm.accounts import Accounts
from hvsdk_simulators.winrm.client_certificates import ClientCertificates
from hvsdk_simulators.winrm.endpoint import Endpoint
from hvsdk_simulators.winrm.login import Connections, Ways
from hvsdk_simulators.winrm.process import Process, Start
from hvsdk_simulators.winrm.service import Service
from hvsdk_simulators.winrm.shells import Quotas, Shells
from hvsdk_simulators.wire.counting import Counters
from hvsdk_simulators.wire.faults import Faults
from hvsdk_simulators.wire.server import HttpServer
from hvsdk_simulators.wire.tls import make_identity, server_context
from winrm.protocol import Protocol

__all__ = ["PASSWORD", "USER", "LocalProcess", "WinrmHost"]

USER, PASSWORD = "Administrator", "winrm-password"


class LocalProcess(Process):
    """A command of the machine that the tests run on: `cat`, `sh -c '…'`."""

    def __init__(self, command_line: str, environment: Mapping[str, str], codepage: int) -> None:
        given = {**os.environ, **environment, "CODEPAGE": str(codepage)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(shlex.split(command_line), env=given, stdin=pipe, stdout=pipe, stderr=pipe)
        self._output = Output()
        streams = {"stdout": self.process.stdout, "stderr": self.process.stderr}
        self._readers = [threading.Thread(target=self._copy, args=pair, daemon=True) for pair in streams.items()]
        for reader in self._readers:
            reader.start()
        threading.Thread(target=self._end, daemon=True).start()

    def _copy(self, name: str, stream: Any) -> None:
        with stream:
            while data := stream.read1(1 << 16):
                self._output.put(name, data)

    def _end(self) -> None:
        for reader in self._readers:
            reader.join()
        code = self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._output.end(code)

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def read(self) -> list[tuple[str, bytes]]:
        return self._output.take()

    def wait_output(self, seconds: float) -> None:
        self._output.wait(seconds)

    def exit_code(self) -> int | None:
        return self._output.exit_code()

    def kill(self) -> None:
        self.process.kill()


class WinrmHost:
    """The service on a port of 127.0.0.1, in a `with` statement."""

    def __init__(
        self,
        directory: Path,
        *,
        tls: bool = True,
        start: Start = LocalProcess,
        latency: float = 0.0,
        name: str = "127.0.0.1",
        kerberos: str | None = None,
        **quotas: Any,
    ) -> None:
        self.tls, self._name = tls, name
        self.counters, self.faults = Counters(), Faults()
        self.shells = Shells(start, Quotas(**quotas))
        self.service = Service(self.shells, "HV-1", lambda: self.url)
        self.accounts = Accounts({USER: PASSWORD, "operator": PASSWORD}, directory)
        self.certificates = ClientCertificates(mapped={"admin@hv-1": USER})
        ways = Ways(secure=tls, credssp=True, kerberos=kerberos, certificates=self.certificates)
        connections = Connections(self.accounts, ways, self.counters.call)
        endpoint = Endpoint(self.service, connections, self.counters, self.faults, latency)
        identity = make_identity("HV-1" if name == "127.0.0.1" else name, ["127.0.0.1"])
        self.certificate = str(directory / "certificate.pem")
        Path(self.certificate).write_text(identity.certificate)
        context = server_context(identity) if tls else None
        if context is not None:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.certificates.ask(context)
        self.server = HttpServer(endpoint.answer, context=context)

    def __enter__(self) -> WinrmHost:
        self.shells.begin()
        self.server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.service.stopping = True
        self.shells.stop()
        self.server.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://{self._name}:{self.server.port}/wsman"

    def session(self, user: str | None = USER, password: str | None = PASSWORD, **more: Any) -> winrm.Session:
        """Return a session of pywinrm: basic over TLS, NTLM with encryption without."""
        transport = "basic" if self.tls else "ntlm"
        wishes = {"transport": transport, "ca_trust_path": self.certificate, "message_encryption": "auto"} | more
        return winrm.Session(self.url, auth=(user, password), **wishes)

    def protocol(self, user: str = USER, **more: Any) -> Protocol:
        """Return pywinrm's way to ask for single steps."""
        return self.session(user, **more).protocol

    def wsman(self, **more: Any) -> pypsrp.wsman.WSMan:
        """Return a connection of pypsrp: basic over TLS, NTLM with encryption without."""
        wishes: dict[str, Any] = {"auth": "basic" if self.tls else "ntlm", "cert_validation": self.certificate}
        wishes |= {"username": USER, "password": PASSWORD} | more
        return pypsrp.wsman.WSMan(self._name, port=self.server.port, ssl=self.tls, **wishes)

    def asked(self, work: Callable[[], Any]) -> dict[str, int]:
        """Return what some work asked for, by action."""
        self.counters.reset()
        work()
        return {name: count for name, count in self.counters.calls().items() if re.fullmatch(r"\w+", name)}
