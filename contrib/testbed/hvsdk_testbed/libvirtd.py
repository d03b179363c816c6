"""A libvirtd of one's own, that can be frozen, killed and restarted without touching anything else.

It runs as root in its own mount, PID and host-name namespaces, and unless asked otherwise in its own network
namespace, with its own configuration, state and sockets. Everything ends with it: its guests, its dnsmasq and
its mounts. It also ends when the process that started it does.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

from . import _namespace
from ._run import TestbedError
from .certs import Certificates
from .embed import screen_ports

QEMU_CONF = """\
user = "root"
group = "root"
stdio_handler = "file"
security_driver = "none"
dynamic_ownership = 0
cgroup_controllers = []
"""
"""Besides what the embedded driver needs: no security labels and no new owners for files, which a killed
daemon would leave behind, and no control groups, whose names two daemons on one machine would share."""

ANSWER_TIMEOUT = 60.0

_numbers = itertools.count(1)


class PrivateLibvirtd:
    """A running libvirtd; a context manager.

    The path of a file is the same for it and for the test, except below `/run`, `/var/lib/libvirt`,
    `/var/cache/libvirt`, `/var/log/libvirt` and `/etc/libvirt`, where it has directories of its own. It has
    an active storage pool `default` on `pool_directory` and, in a network namespace of its own, an isolated
    network `default` with DHCP, inactive until a test starts it.

    Args:
        hostname: Its host name; two daemons that migrate to each other must differ in it.
        host_uuid: Its host UUID; a random one otherwise, since the same one twice refuses migration too.
        network: `private` gives it a network namespace of its own, `host` shares ours, so that TCP and TLS on
            127.0.0.1 can be reached.
        beside: Another daemon whose network namespace to share; they reach each other by host name.
        tcp: Listen for plain TCP on 127.0.0.1, without authentication.
        tls: Listen for TLS on 127.0.0.1 with these certificates, and want one of the client.
        start_timeout: Seconds to wait until it takes connections.

    Raises:
        TestbedError: It cannot be started; the message ends with what it logged.
    """

    def __init__(
        self,
        *,
        hostname: str | None = None,
        host_uuid: str | None = None,
        network: Literal["private", "host"] = "private",
        beside: PrivateLibvirtd | None = None,
        tcp: bool = False,
        tls: Certificates | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self.number = next(_numbers)
        self.hostname = hostname or f"testbed-{os.getpid()}-{self.number}"
        self.host_uuid = host_uuid or str(uuid.uuid4())
        self.tcp_port = _free_port() if tcp else None
        self.tls_port = _free_port() if tls is not None else None
        self._network = network
        self._beside = beside
        self._tls = tls
        self._start_timeout = start_timeout
        self._one_at_a_time = threading.Lock()
        self._state: Path | None = None
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrivateLibvirtd:
        try:
            self._open()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- how to reach it ---------------------------------------------------------------------------------

    @property
    def state_directory(self) -> Path:
        """Where its configuration, logs and state are, until `stop`."""
        if self._state is None:
            raise TestbedError("this libvirtd is not there; use it in a with statement")
        return self._state

    @property
    def socket_path(self) -> Path:
        """Its unix socket, as seen from outside its namespaces."""
        return self.state_directory / "run" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """The URI for libvirt over its unix socket."""
        return f"qemu+unix:///system?socket={quote(str(self.socket_path))}"

    @property
    def tcp_uri(self) -> str:
        """The URI over plain TCP; it must have been started with `tcp=True`."""
        if self.tcp_port is None:
            raise TestbedError("this libvirtd does not listen for TCP; give tcp=True")
        return f"qemu+tcp://127.0.0.1:{self.tcp_port}/system"

    @property
    def tls_uri(self) -> str:
        """The URI over TLS with the client's certificate; it must have been started with `tls=`."""
        if self._tls is None:
            raise TestbedError("this libvirtd does not listen for TLS; give tls=make_certificates(…)")
        return f"qemu+tls://localhost:{self.tls_port}/system?pkipath={quote(str(self._tls.client_directory))}"

    @property
    def pool_directory(self) -> Path:
        """Where the storage pool `default` keeps its volumes."""
        return self.state_directory / "pool"

    @property
    def log(self) -> str:
        """What the daemon has logged, warnings and errors."""
        parts = [self.state_directory / "log" / name for name in ("libvirtd.log", "libvirtd.out")]
        return "".join(part.read_text(errors="replace") for part in parts if part.exists())

    # ---- what can happen to it ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon after `kill`, and wait until it takes connections."""
        self._ask(do="start")
        deadline = time.monotonic() + self._start_timeout
        while not all(map(_answers, self._addresses())):
            if not self.is_running:
                raise TestbedError(f"libvirtd ended at once; it logged:\n{self.log[-4000:]}")
            if time.monotonic() >= deadline:
                patience = f"{self._start_timeout:g} s"
                raise TestbedError(f"libvirtd did not listen within {patience}; log:\n{self.log[-4000:]}")
            time.sleep(0.02)

    def _addresses(self) -> list[Path | int]:
        """Return where it listens, as far as this process can reach it: its socket opens before its ports."""
        ports = (self.tcp_port, self.tls_port) if self._network == "host" else ()
        reachable = [port for port in ports if port is not None]
        return [self.socket_path, *reachable]

    def freeze(self) -> None:
        """Stop the daemon in its tracks: connections stay open and nothing answers. Guests run on."""
        self._ask(do="signal", number=int(signal.SIGSTOP))

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._ask(do="signal", number=int(signal.SIGCONT))

    def kill(self) -> None:
        """End the daemon at once, as a crash would. Guests run on; `start` brings it back to them."""
        self._ask(do="end", number=int(signal.SIGKILL), patience=5.0)

    def restart(self) -> None:
        """End the daemon in good order and start it again, as an upgrade would. Guests run on."""
        self._ask(do="end", number=int(signal.SIGTERM), patience=10.0)
        self.start()

    def stop(self) -> None:
        """End it with all its guests and remove its state. Doing so twice is harmless."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.kill()  # unshare takes the namespace's first process with it, and that one all others
            holder.wait()
            for pipe in (holder.stdin, holder.stdout):
                if pipe is not None:
                    pipe.close()
        state, self._state = self._state, None
        if state is not None:
            _remove(state)

    @property
    def is_running(self) -> bool:
        """Whether the daemon's process is there, frozen or not."""
        return bool(self._ask(do="look")["running"])

    # ---- inside ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if os.geteuid() != 0:
            raise TestbedError("a private libvirtd needs root, for its namespaces")
        libvirtd = shutil.which("libvirtd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        if libvirtd is None:
            raise TestbedError("libvirtd is not installed; hvsdk_testbed.packages names the package")
        self._state = state = Path(tempfile.mkdtemp(prefix="hvsdk-libvirtd-", dir="/tmp"))
        self._write_state(state)
        command = [libvirtd, "-f", "/etc/libvirt/libvirtd.conf", "-p", "/run/libvirt/libvirtd.pid"]
        if self.tcp_port is not None or self._tls is not None:
            command.append("--listen")
        spec = {
            "hostname": self.hostname,
            "state": str(state),
            "hosts": str(self._hosts()),
            "own_network": self._network == "private" and self._beside is None,
            "command": command,
        }
        self._holder = subprocess.Popen(
            [*self._entering(), sys.executable, "-I", _namespace.__file__, json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C in a terminal is for the test, which stops us in its own time
        )
        self._answer()

    def _entering(self) -> list[str]:
        unshare = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if self._beside is not None:
            return ["nsenter", f"--net={self._beside._network_namespace()}", *unshare]
        return unshare if self._network == "host" else [*unshare, "--net"]

    def _network_namespace(self) -> str:
        if self._holder is None:
            raise TestbedError("the libvirtd given as beside= is not running")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        return f"/proc/{children[0]}/ns/net"

    def _hosts(self) -> Path:
        """Return the file of host names, which daemons in one network share."""
        hosts = self._beside._hosts() if self._beside is not None else self.state_directory / "hosts"
        line = f"127.0.0.1 {self.hostname}\n"
        text = hosts.read_text() if hosts.exists() else "127.0.0.1 localhost\n"
        if line not in text:
            hosts.write_text(text + line)
        return hosts

    def _write_state(self, state: Path) -> None:
        for name in ("run", "lib", "cache", "log", "etc", "pool"):
            (state / name).mkdir(mode=0o755)
        state.chmod(0o755)
        etc = state / "etc"
        (etc / "qemu.conf").write_text(QEMU_CONF + screen_ports())
        settings = [f"{key} = {json.dumps(value)}\n" for key, value in self._conf()]
        (etc / "libvirtd.conf").write_text("".join(settings))
        storage = etc / "storage"
        storage.mkdir()
        (storage / "default.xml").write_text(pool_xml("default", state / "pool"))
        (storage / "autostart").mkdir()
        (storage / "autostart" / "default.xml").symlink_to("/etc/libvirt/storage/default.xml")
        if self._network == "private":
            networks = etc / "qemu" / "networks"
            networks.mkdir(parents=True)
            (networks / "default.xml").write_text(network_xml("default", self.number))

    def _conf(self) -> list[tuple[str, str | int]]:
        conf: list[tuple[str, str | int]] = [
            ("host_uuid", self.host_uuid),
            ("auth_unix_ro", "none"),
            ("auth_unix_rw", "none"),
            ("log_outputs", "3:file:/var/log/libvirt/libvirtd.log"),
            ("listen_addr", "127.0.0.1"),
            ("listen_tcp", int(self.tcp_port is not None)),
            ("listen_tls", int(self._tls is not None)),
        ]
        if self.tcp_port is not None:
            conf += [("tcp_port", str(self.tcp_port)), ("auth_tcp", "none")]
        if self._tls is not None:
            conf += [
                ("tls_port", str(self.tls_port)),
                ("auth_tls", "none"),
                ("ca_file", str(self._tls.authority)),
                ("cert_file", str(self._tls.server_certificate)),
                ("key_file", str(self._tls.server_key)),
            ]
        return conf

    def _ask(self, **request: Any) -> dict[str, Any]:
        if self._holder is None or self._holder.stdin is None:
            raise TestbedError("this libvirtd is not there; use it in a with statement")
        with self._one_at_a_time:
            try:
                self._holder.stdin.write(json.dumps(request).encode() + b"\n")
            except BrokenPipeError as exc:
                raise TestbedError("the namespaces of this libvirtd are gone") from exc
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._holder is not None
        assert self._holder.stdout is not None
        if not select.select([self._holder.stdout], [], [], ANSWER_TIMEOUT)[0]:
            raise TestbedError(f"the namespaces of this libvirtd did not answer within {ANSWER_TIMEOUT:g} s")
        line = self._holder.stdout.readline()
        if not line:
            raise TestbedError("the namespaces of this libvirtd are gone; are they forbidden here?")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise TestbedError(f"libvirtd: {answer['error']}")
        return answer


def pool_xml(name: str, directory: str | Path) -> str:
    """Return the document of a storage pool on a directory."""
    pool = ET.Element("pool", type="dir")
    ET.SubElement(pool, "name").text = name
    target = ET.SubElement(pool, "target")
    ET.SubElement(target, "path").text = str(directory)
    return ET.tostring(pool, encoding="unicode")


def network_xml(name: str, number: int = 1) -> str:
    """Return the document of an isolated network with DHCP.

    `number` (1 to 250) tells the bridges and addresses of several apart.
    """
    if not 1 <= number <= 250:
        number = number % 250 + 1
    network = ET.Element("network")
    ET.SubElement(network, "name").text = name
    ET.SubElement(network, "bridge", name=f"hvsdk{number}", stp="off", delay="0")
    prefix = f"198.18.{number}"  # set aside for tests of network devices (RFC 2544)
    address = ET.SubElement(network, "ip", address=f"{prefix}.1", netmask="255.255.255.0")
    dhcp = ET.SubElement(address, "dhcp")
    ET.SubElement(dhcp, "range", start=f"{prefix}.10", end=f"{prefix}.200")
    return ET.tostring(network, encoding="unicode")


def _answers(address: Path | int) -> bool:
    """Return whether something listens on a unix socket or on a port of the loopback device."""
    port = isinstance(address, int)
    with socket.socket(socket.AF_INET if port else socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(("127.0.0.1", address) if port else str(address))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _remove(directory: Path) -> None:
    """Remove a directory in which a process that was just killed may be writing its last."""
    for _ in range(50):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.1)
