"""One shell on the host, with one PowerShell in it that answers a line of its standard input with one of its output."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from hvsdk.driver import Deadline
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from hvsdk_hyperv._frames import Lines
from hvsdk_hyperv._scripts import command_line, scripts_line
from hvsdk_hyperv._wsman import Wsman

__all__ = ["OPERATIONS_QUOTA", "Shell", "ShellEndedError"]

IDLE = "PT600S"
"""After which the host ends a shell that nobody uses, should it have been left."""
_LARGEST = 64 * 1024
"""Bytes in one Send: servers take 500 KB a message, old ones 150 KB, and base64 in XML makes more of it."""
_OLDEST = 1800.0
_MOST = 500
"""Seconds and requests after which a shell is replaced: hosts count what a shell has done, and PowerShell grows."""
NOT_FOUND = 2150858843
"""The fault for a shell, or a command in it, that is gone."""
OPERATIONS_QUOTA = 2150859174
"""The fault for a user with too many requests at once, or in the life of a shell."""
_PAUSE = 0.2
_QUIET = 400


class ShellEndedError(Exception):
    """PowerShell, or the shell around it, has ended.

    Attributes:
        carried_out: False when the request did certainly not reach it.
    """

    def __init__(self, message: str, *, carried_out: bool | None = None) -> None:
        super().__init__(message)
        self.carried_out = carried_out


class Shell:
    """The shell. All calls are one thread's at a time."""

    def __init__(self, wsman: Wsman) -> None:
        self._wsman = wsman
        self._lines = Lines()
        self._errors = b""
        self._began = time.monotonic()
        self._requests = 0
        self._greeting = b""
        self.id: str | None = None
        self._command: str | None = None
        self.unsent = True
        """Whether the last request has certainly not reached PowerShell as a whole."""

    def start(self, deadline: Deadline) -> None:
        """Make it. The scripts go with the first request, so that they cost no round trip of their own."""
        self.id = self._wsman.ask(lambda protocol: protocol.open_shell(idle_timeout=IDLE, noprofile=True), deadline)
        shell, (program, arguments) = self.id, command_line()
        self._command = self._wsman.ask(lambda protocol: protocol.run_command(shell, program, arguments), deadline)
        self._greeting = scripts_line()

    @property
    def worn(self) -> bool:
        """Whether it should be replaced when nothing is under way in it."""
        return self._requests >= _MOST or time.monotonic() - self._began > _OLDEST

    def exchange(self, request_id: int, line: bytes, deadline: Deadline) -> dict[str, Any]:
        """Send a request, and return its answer.

        Raises:
            ShellEndedError: It ended before it answered.
        """
        self.unsent = True
        self._send(self._greeting + line, deadline)
        self.unsent = False
        self._greeting = b""
        self._requests += 1
        while True:
            try:
                for answer in self._receive(deadline):
                    if answer["id"] == request_id:
                        return answer
            except WinRMOperationTimeoutError:
                continue  # there is none yet; the deadline ends this
            except WSManFaultError as exc:
                if exc.wsman_fault_code != OPERATIONS_QUOTA:
                    raise
                time.sleep(_PAUSE)  # the request is carried out: only its answer has to wait for others

    def _send(self, data: bytes, deadline: Deadline) -> None:
        shell, command = self._running()
        for start in range(0, len(data), _LARGEST):
            piece = data[start : start + _LARGEST]
            try:
                self._wsman.ask(partial(_send_piece, shell, command, piece), deadline)
            except WSManFaultError as exc:
                if exc.wsman_fault_code == NOT_FOUND:  # so the line never got there whole
                    raise ShellEndedError("the shell is gone", carried_out=False) from exc
                if start and not self._greeting:
                    self._greeting = b"\r\n"  # ends what came of the line, so that the next one is read by itself
                raise

    def _receive(self, deadline: Deadline) -> list[dict[str, Any]]:
        shell, command = self._running()
        try:
            output, errors, code, done = self._wsman.ask(
                lambda protocol: protocol.get_command_output_raw(shell, command), deadline
            )
        except WSManFaultError as exc:
            if exc.wsman_fault_code in (NOT_FOUND, 995):
                raise ShellEndedError("the shell went away while it worked") from exc
            raise
        self._errors = (self._errors + errors)[-_QUIET:]
        answers = self._lines.feed(output)
        if done and not answers:
            told = self._errors.decode("utf-8", "replace").strip()
            more = f"; it said: {told}" if told else ""
            raise ShellEndedError(f"PowerShell ended (exit code {code}){more}")
        return answers

    def _running(self) -> tuple[str, str]:
        if self.id is None or self._command is None:
            raise ShellEndedError("there is no shell", carried_out=False)
        return self.id, self._command

    def delete(self, deadline: Deadline, wsman: Wsman | None = None) -> None:
        """End it with all that runs in it."""
        shell, self.id, self._command = self.id, None, None
        if shell is not None:
            (wsman or self._wsman).ask(lambda protocol: protocol.close_shell(shell, close_session=False), deadline)


def _send_piece(shell: str, command: str, piece: bytes, protocol: Protocol) -> None:
    protocol.send_command_input(shell, command, piece)
