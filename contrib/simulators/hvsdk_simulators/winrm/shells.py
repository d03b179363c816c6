"""Remote shells of users, the commands in them, and the quotas that bound both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from attrs import define, field, frozen

from . import faults
from .process import Process, Start

__all__ = ["Command", "Quotas", "Shell", "Shells"]

_LOOK_SECONDS = 1.0
"""How often it is looked for shells whose time is up."""


@frozen(kw_only=True)
class Quotas:
    """What one user may have, as Windows has it since 2012 R2."""

    shells: int = 30
    operations: int = 1500
    processes: int = 25
    idle_seconds: float = 7200.0
    envelope_bytes: int = 512_000
    """Of a request."""
    command_line: int = 8191
    """Characters that `cmd.exe` takes."""


@define(eq=False)
class Command:
    """A command in a shell."""

    process: Process
    id: str = field(factory=lambda: str(uuid4()).upper())
    pending: list[tuple[str, bytes]] = field(factory=list)
    """Output that was read from the process and not yet told."""
    gone: bool = False
    """Whether its end was told, or it was ended."""


@define(eq=False, kw_only=True)
class Shell:
    """A shell of a user."""

    owner: str
    client: str
    id: str = field(factory=lambda: str(uuid4()).upper())
    codepage: int = 437
    environment: Mapping[str, str] = field(factory=dict)
    directory: str = ""
    """The working directory that was asked for; it is told, and commands run where their engine has its files."""
    idle_seconds: float = 7200.0
    input_streams: str = "stdin"
    output_streams: str = "stdout stderr"
    commands: dict[str, Command] = field(factory=dict)
    operations: int = 0
    used: float = field(factory=time.monotonic)
    waiting: int = 0
    """Requests that are being answered: such a shell is not idle."""
    gone: threading.Event = field(factory=threading.Event)


class Shells:
    """All shells of a service. Safe to share between threads.

    Args:
        start: Starts the commands.
        quotas: What one user may have.
    """

    def __init__(self, start: Start, quotas: Quotas) -> None:
        self.quotas = quotas
        self._start = start
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="winrm-idle", daemon=True)

    def begin(self) -> None:
        """Begin to end shells whose time is up."""
        self._thread.start()

    def stop(self) -> None:
        """End all."""
        self._over.set()
        self.end_all()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            with self._lock:
                idle = [
                    shell
                    for shell in self._shells.values()
                    if not shell.waiting and now - shell.used > shell.idle_seconds
                ]
            for shell in idle:
                self.end(shell)

    def create(self, shell: Shell) -> None:
        """Add a shell.

        Raises:
            Fault: The user has too many.
        """
        with self._lock:
            if sum(other.owner == shell.owner for other in self._shells.values()) >= self.quotas.shells:
                raise faults.too_many_shells(self.quotas.shells)
            self._shells[shell.id] = shell

    def find(self, shell_id: str, owner: str) -> Shell:
        """Return a shell of a user.

        Raises:
            Fault: There is none.
        """
        if not shell_id:
            raise faults.no_selector()
        with self._lock:
            shell = self._shells.get(shell_id.upper())
        if shell is None or shell.owner != owner:
            raise faults.no_shell(shell_id)
        shell.used = time.monotonic()
        return shell

    @contextmanager
    def at_work(self, shell: Shell) -> Iterator[None]:
        """While a request is answered, its shell is not idle."""
        with self._lock:
            shell.waiting += 1
        try:
            yield
        finally:
            with self._lock:
                shell.waiting -= 1
                shell.used = time.monotonic()

    def run(self, shell: Shell, command_line: str | None, instead: Process) -> Command:
        """Start a command, or have `instead` for one that `cmd.exe` does not take.

        Raises:
            Fault: A quota forbids it, there is no such program, or the shell was ended meanwhile.
        """
        command = Command(instead)
        with self._lock:
            operations = sum(other.operations for other in self._shells.values() if other.owner == shell.owner)
            if operations >= self.quotas.operations:
                raise faults.too_many_operations(self.quotas.operations)
            if sum(not one.gone for one in shell.commands.values()) >= self.quotas.processes:
                raise faults.too_many_processes(self.quotas.processes)
            shell.operations += 1
            shell.commands[command.id] = command  # holds its place while it is started
        if command_line is not None:
            try:
                command.process = self._start(command_line, shell.environment, shell.codepage)
            except OSError:
                command.gone = True
                raise faults.not_found() from None
        if shell.gone.is_set():
            command.gone = True
            command.process.kill()
            raise faults.aborted()
        return command

    def command(self, shell: Shell, command_id: str) -> Command:
        """Return a command of a shell.

        Raises:
            Fault: There is none any more.
        """
        command = shell.commands.get(command_id.upper())
        if command is None or command.gone:
            raise faults.no_command()
        return command

    def end(self, shell: Shell) -> None:
        """End a shell, and the processes in it."""
        with self._lock:
            self._shells.pop(shell.id, None)
            shell.gone.set()
        for command in list(shell.commands.values()):
            command.gone = True
            command.process.kill()

    def end_all(self) -> int:
        """End all shells, and return how many there were."""
        with self._lock:
            found = list(self._shells.values())
        for shell in found:
            self.end(shell)
        return len(found)

    def kill_processes(self) -> int:
        """Kill all commands, whose shells stay; return how many ran."""
        with self._lock:
            shells = list(self._shells.values())
        running = [one for shell in shells for one in list(shell.commands.values()) if one.process.exit_code() is None]
        for command in running:
            command.process.kill()
        return len(running)

    def inject(self, stream: str, data: bytes) -> None:
        """Let all commands that run write something that nobody has asked for."""
        with self._lock:
            shells = list(self._shells.values())
        for command in (one for shell in shells for one in list(shell.commands.values())):
            if not command.gone:
                command.pending.append((stream, data))

    def show(self) -> list[dict[str, Any]]:
        """Return the shells as JSON can say it."""
        with self._lock:
            return [
                {"id": shell.id, "owner": shell.owner, "commands": sum(not one.gone for one in shell.commands.values())}
                for shell in self._shells.values()
            ]

    def output(self, shell: Shell, command: Command, seconds: float, over: Callable[[], bool]) -> bool:
        """Wait until a command has something to tell, and return whether it has.

        Raises:
            Fault: The shell was ended meanwhile.
        """
        until = time.monotonic() + seconds
        process = command.process
        while True:
            # The exit code first: what was written before the end is then there to be read.
            ended = process.exit_code() is not None
            command.pending += process.read()
            if shell.gone.is_set():
                raise faults.aborted()
            if command.pending or ended:
                return True
            left = until - time.monotonic()
            if left <= 0 or over():
                return False
            process.wait_output(min(left, 0.2))
