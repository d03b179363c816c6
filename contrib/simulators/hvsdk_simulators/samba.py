"""Samba on 127.0.0.1, for tests: a real file server that shares what a simulated Hyper-V host has on its drives."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from ._running import Running

__all__ = ["Samba"]

_PROGRAMS = ("smbd", "pdbedit")
_FOLDERS = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_START_SECONDS = 30.0
_DIRECTORIES = ("private", "lock", "state", "cache", "pid", "ncalrpc")
_GUARD = '("$@"; kill -KILL 0) & read -r _; kill -KILL 0'
"""Ends the whole group with the server, and when whoever started it is gone, which its standard input tells."""
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
path = {folder}/C
read only = no
guest ok = yes

[D$]
path = {folder}/D
valid users = +nogroup
"""


class Samba:
    """A server with the shares `C$` and `D$`, until the end of the `with` statement: `Samba(host, map_to_guest="bad user")`.

    The host's administrator logs in with the host's password, and may use `C$` alone.

    Args:
        host: The simulated Hyper-V host. Its files are shared as they are when it starts; `publish` looks again.
        settings: More of smb.conf, with `_` for blanks.

    Attributes:
        port: Where it listens, on 127.0.0.1.

    Raises:
        RuntimeError: It did not start.
    """

    def __init__(self, host: Running, **settings: str) -> None:
        self._files = Path(host.root or "")
        self._directory = tempfile.TemporaryDirectory(prefix="hvsdk-samba-", ignore_cleanup_errors=True)
        self._folder = Path(self._directory.name)
        for name in _DIRECTORIES:
            (self._folder / name).mkdir()
        self.port = _free_port()
        self._config = self._folder / "smb.conf"
        more = "\n".join(f"{name.replace('_', ' ')} = {value}" for name, value in settings.items())
        self._config.write_text(_CONFIG.format(folder=self._folder, port=self.port, more=more))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._add_user(host.username, host.password)
            self.publish()
            self._start()
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def missing() -> list[str]:
        """Return the programs that it needs and this machine lacks. Debian has them in samba."""
        return [name for name in _PROGRAMS if _path(name) is None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def publish(self) -> None:
        """Show the files that the host has now, in the folders that their names tell."""
        for drive in ("C", "D"):
            shutil.rmtree(self._folder / drive, ignore_errors=True)
            (self._folder / drive).mkdir()
        for file in self._files.iterdir():
            if file.name.startswith(("C:\\", "D:\\")):
                self.place(file.name).hardlink_to(file)

    def place(self, path: str) -> Path:
        """Return where a file of `C:` or `D:` is or may be put, by its path on Windows; its folder is made."""
        drive, *parts = path.split("\\")
        place = self._folder / drive[0] / Path(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def log(self) -> str:
        """Return what it wrote about itself."""
        found = self._folder / "log"
        return found.read_text(errors="replace") if found.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to those of its processes that serve connections."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """End it, and remove its files. Twice is harmless."""
        process = self._process
        if process is not None:
            self.send(signal.SIGKILL)
            process.communicate()
            self._process = None
        self._directory.cleanup()

    def _add_user(self, name: str, password: str) -> None:
        """Let a user in as the account that this runs as, the only one that there is on every machine."""
        owner = pwd.getpwuid(os.getuid()).pw_name
        # The second form is what a ticket's name is taken for.
        (self._folder / "users").write_text(f"{owner} = {name} TESTS\\{name}\n")
        command = [_path("pdbedit") or "pdbedit", "-s", str(self._config), "-a", "-t", "-u", owner]
        done = subprocess.run(command, input=f"{password}\n" * 2, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Samba did not take the user {owner}: {done.stderr}{done.stdout}")

    def _start(self) -> None:
        command = [_path("smbd") or "smbd", "--foreground", "--no-process-group", "-s", str(self._config)]
        silent = subprocess.DEVNULL
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=silent,
            stderr=silent,
            start_new_session=True,
        )
        until = time.monotonic() + _START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"smbd did not start: {self.log()}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def _path(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_FOLDERS)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
