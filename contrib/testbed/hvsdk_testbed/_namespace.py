"""The first process of a private libvirtd's namespaces: mounts, starts, signals, reaps.

`PrivateLibvirtd` runs this file under `unshare`. It is process 1 of a PID namespace, so whatever is started
below it ends with it: the daemon, its guests, its dnsmasq. It ends when its standard input does, that is also
when the test that started it was killed. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Daemon:
    """The libvirtd in this namespace, and all that lost its parent here."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._pid: int | None = None
        self._wake, writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def start(self) -> None:
        if self._pid is not None:
            raise RuntimeError("libvirtd is running")
        with open("/dev/null", "rb") as nothing, self._log.open("ab") as log:
            actions = [
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ]
            environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
            self._pid = os.posix_spawn(
                self._command[0], self._command, environment, file_actions=actions, setsid=True
            )

    def signal(self, number: int) -> None:
        if self._pid is None:
            raise RuntimeError("libvirtd is not running")
        os.kill(self._pid, number)

    def end(self, number: int, patience: float) -> None:
        """Send a signal and wait; after `patience` seconds send SIGKILL."""
        if self._pid is None:
            return
        self.signal(number)
        self.signal(signal.SIGCONT)
        deadline = time.monotonic() + patience
        while self._pid is not None:
            if time.monotonic() >= deadline:
                self.signal(signal.SIGKILL)
                deadline = float("inf")
            select.select([self._wake], [], [], 0.05)
            self.reap()

    def reap(self) -> None:
        """Collect all that ended; a guest that libvirtd waits for would stay a zombie otherwise."""
        try:
            while os.read(self._wake, 4096):
                pass
        except BlockingIOError:
            pass
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._pid = None

    def serve(self) -> None:
        """Answer requests until there are no more."""
        pending = b""
        while True:
            ready, _, _ = select.select([0, self._wake], [], [])
            self.reap()
            if 0 not in ready:
                continue
            data = os.read(0, 65536)
            if not data:
                return
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                self._answer(json.loads(line))

    def _answer(self, request: dict[str, Any]) -> None:
        try:
            match request["do"]:
                case "start":
                    self.start()
                case "signal":
                    self.signal(request["number"])
                case "end":
                    self.end(request["number"], request["patience"])
            answer: dict[str, Any] = {"running": self._pid is not None}
        except (OSError, RuntimeError) as exc:
            answer = {"error": str(exc)}
        say(answer)


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def command(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def bind(source: Path, target: str) -> None:
    Path(target).mkdir(parents=True, exist_ok=True)
    command("mount", "--bind", str(source), target)


def prepare(spec: dict[str, Any]) -> None:
    """Make the namespaces look like a machine of their own."""
    socket.sethostname(spec["hostname"])
    state = Path(spec["state"])
    command("mount", "-t", "tmpfs", "-o", "mode=0755", "run", "/run")  # no system bus, no virtlogd
    bind(state / "run", "/run/libvirt")
    bind(state / "lib", "/var/lib/libvirt")
    bind(state / "cache", "/var/cache/libvirt")
    bind(state / "log", "/var/log/libvirt")
    bind(state / "etc", "/etc/libvirt")
    command("mount", "--bind", spec["hosts"], "/etc/hosts")
    if spec["own_network"]:
        own_sysfs(state / "sys")
        command("ip", "link", "set", "lo", "up")


def own_sysfs(path: Path) -> None:
    """Show the network cards of this namespace in /sys, and keep what is mounted below the old one."""
    path.mkdir()
    command("mount", "-t", "sysfs", "sysfs", str(path))
    command("mount", "--rbind", "/sys/fs/cgroup", str(path / "fs/cgroup"))
    command("mount", "--rbind", str(path), "/sys")


def main() -> None:
    spec = json.loads(sys.argv[1])
    try:
        prepare(spec)
    except (OSError, subprocess.CalledProcessError) as exc:
        detail = exc.stderr if isinstance(exc, subprocess.CalledProcessError) else None
        say({"error": f"{exc} {detail or ''}".strip()})
        return
    daemon = Daemon(spec["command"], Path(spec["state"], "log", "libvirtd.out"))
    say({"ready": True})
    daemon.serve()


if __name__ == "__main__":
    main()
