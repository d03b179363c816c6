"""Samba with the files of a simulated host: `C$` as the host's administrators see it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hvsdk_simulators import Running
from hyperv_support import eventually

__all__ = ["Samba", "samba", "smbd"]

_CONFIG = """
[global]
server role = standalone server
workgroup = TESTS
bind interfaces only = yes
interfaces = 127.0.0.1
smb ports = {port}
disable netbios = yes
disable spoolss = yes
load printers = no
printing = bsd
printcap name = /dev/null
passdb backend = tdbsam:{folder}/passdb.tdb
username map = {folder}/users
private dir = {folder}/private
lock directory = {folder}/lock
state directory = {folder}/state
cache directory = {folder}/cache
pid directory = {folder}/pid
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/log
log level = 1
rpc start on demand helpers = no
{more}

[C$]
path = {folder}/shares/C
read only = no
guest ok = yes

[D$]
path = {folder}/shares/D
valid users = +nogroup
"""


def smbd() -> str:
    """Return Samba's server, or skip; in CI that there is none is a failure."""
    found = shutil.which("smbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "there is no smbd: Debian's samba has it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


class Samba:
    """A server that runs, in a process group of its own.

    Attributes:
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(self, folder: Path, host: Running, **settings: str) -> None:
        program = smbd()
        self._folder = folder
        self._files = Path(host.root or "")
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "shares/C", "shares/D"):
            (folder / name).mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        more = "\n".join(f"{name.replace('_', ' ')} = {value}" for name, value in settings.items())
        self._config = folder / "smb.conf"
        self._config.write_text(_CONFIG.format(folder=folder, port=self.port, more=more))
        owner = pwd.getpwuid(os.getuid()).pw_name
        (folder / "users").write_text(f"{owner} = {host.username}\n")
        self._run("smbpasswd", "-c", str(self._config), "-s", "-a", owner, told=f"{host.password}\n" * 2)
        self.publish()
        self._output = (folder / "output").open("wb")
        self._process = subprocess.Popen(
            [program, "--foreground", "--no-process-group", "-s", str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if not eventually(self._listens):
            self.stop()
            raise RuntimeError(f"smbd did not start: {(folder / 'output').read_text()} {self.log()}")

    def _run(self, program: str, *arguments: str, told: str) -> None:
        done = subprocess.run([program, *arguments], input=told, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr + done.stdout

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def publish(self) -> None:
        """Show the files that the simulated host has now, in the folders that their names tell."""
        shares = self._folder / "shares"
        for share in ("C", "D"):
            shutil.rmtree(shares / share)
            (shares / share).mkdir()
        for file in self._files.iterdir():
            drive, *path = file.name.split("\\")
            if drive in ("C:", "D:"):
                link = shares / drive[0] / Path(*path)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.hardlink_to(file)

    def place(self, path: str) -> Path:
        """Return where to put a file of `C:` or `D:` that the simulated host does not have."""
        drive, *parts = path.split("\\")
        place = self._folder / "shares" / drive[0] / Path(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def log(self) -> str:
        """Return what it wrote about itself."""
        found = self._folder / "log"
        return found.read_text(errors="replace") if found.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to those of its processes that serve connections."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """End it; twice is harmless."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._process.wait(10)
        self.send(signal.SIGKILL)
        self._output.close()


@contextlib.contextmanager
def samba(folder: Path, host: Running, **settings: str) -> Iterator[Samba]:
    """Run a server: `samba(tmp_path, server, map_to_guest="bad user")`."""
    running = Samba(folder, host, **settings)
    try:
        yield running
    finally:
        running.stop()
