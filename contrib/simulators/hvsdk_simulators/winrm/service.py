"""The service: what each action of WS-Management does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from attrs import frozen

from . import faults
from .said import Said
from .shells import Command, Shell, Shells
from .soap import ACTIONS, NAMESPACES, Message, envelope, seconds_of

__all__ = ["Caller", "Service"]

SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
_STATE = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_SIGNALS = ("terminate", "ctrl_c", "ctrl_break")
SMALLEST_ENVELOPE = 8192
"""Bytes that the specification wants every client to take."""
_SPARE = 4096
"""Bytes of an envelope that are not output."""
_TOO_LONG = b"The command line is too long.\r\n"


@frozen
class Caller:
    """Who asks."""

    user: str
    address: str


class Service:
    """Answers requests, from any number of threads.

    Args:
        shells: The shells.
        machine: Name of the host, for faults.
        address: The URL that answers name.
    """

    def __init__(self, shells: Shells, machine: str, address: Callable[[], str]) -> None:
        self.shells = shells
        self.machine = machine
        self._address = address
        self.stopping = False

    def answer(self, message: Message, caller: Caller) -> bytes:
        """Do what a request asks for, and return the answer's envelope.

        Raises:
            Fault: It is refused.
        """
        name = ACTIONS.get(message.action)
        if name is None:
            raise faults.unsupported_action(message.action)
        if message.resource != SHELL_URI:
            raise faults.wrong_resource()
        if message.max_envelope < SMALLEST_ENVELOPE:
            raise faults.too_small()
        if name == "Create":
            return self._create(message, caller)
        shell = self.shells.find(message.selectors.get("ShellId", ""), caller.user)
        with self.shells.at_work(shell):
            action, body = getattr(self, f"_{name.lower()}")(message, shell)
        return envelope(action, body, message.id)

    # ---- actions -----------------------------------------------------------------------------------------

    def _create(self, message: Message, caller: Caller) -> bytes:
        element = message.body
        if element is None or element.tag != _rsp("Shell"):
            raise faults.bad_element("Shell")
        known = {"InputStreams", "OutputStreams", "Environment", "WorkingDirectory", "IdleTimeOut", "Lifetime", "Name"}
        for child in element:
            if child.tag.rpartition("}")[2] not in known:
                raise faults.bad_element(child.tag.rpartition("}")[2])
        idle = (element.findtext(_rsp("IdleTimeOut")) or "").strip()
        codepage = message.options.get("WINRS_CODEPAGE", "437")
        idle_seconds = seconds_of(idle) if idle else self.shells.quotas.idle_seconds
        shell = Shell(
            owner=caller.user,
            client=caller.address,
            codepage=int(codepage) if codepage.isdecimal() else 437,
            environment={one.get("Name", ""): one.text or "" for one in element.iter(_rsp("Variable"))},
            directory=(element.findtext(_rsp("WorkingDirectory")) or "").strip(),
            idle_seconds=idle_seconds,
            input_streams=element.findtext(_rsp("InputStreams")) or "stdin",
            output_streams=element.findtext(_rsp("OutputStreams")) or "stdout stderr",
        )
        self.shells.create(shell)
        body = (
            f"<x:ResourceCreated><a:Address>{escape(self._address())}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{SHELL_URI}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated>{_described(shell)}"
        )
        return envelope(f"{_TRANSFER}/CreateResponse", body, message.id)

    def _delete(self, message: Message, shell: Shell) -> tuple[str, str]:
        self.shells.end(shell)
        return f"{_TRANSFER}/DeleteResponse", ""

    def _command(self, message: Message, shell: Shell) -> tuple[str, str]:
        element = message.body
        if element is None or element.tag != _rsp("CommandLine"):
            raise faults.bad_element("CommandLine")
        for child in element:
            if child.tag not in (_rsp("Command"), _rsp("Arguments")):
                raise faults.bad_element(child.tag.rpartition("}")[2])
        program = (element.findtext(_rsp("Command")) or "").strip()
        if not program:
            raise faults.bad_parameter()
        words = [program, *((one.text or "") for one in element.findall(_rsp("Arguments")))]
        line = " ".join(words)
        fits = len(line) <= self.shells.quotas.command_line
        command = self.shells.run(shell, line if fits else None, Said([("stderr", _TOO_LONG)], 1))
        body = f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"
        return f"{NAMESPACES['rsp']}/CommandResponse", body

    def _send(self, message: Message, shell: Shell) -> tuple[str, str]:
        element = message.body
        if element is None or element.tag != _rsp("Send"):
            raise faults.bad_element("Send")
        for stream in element.findall(_rsp("Stream")):
            command = self.shells.command(shell, stream.get("CommandId", ""))
            try:
                data = base64.b64decode(stream.text or "", validate=True)
            except (binascii.Error, ValueError):
                raise faults.bad_parameter() from None
            if data:
                command.process.write(data)
            if stream.get("End", "").lower() in ("true", "1"):
                command.process.close_input()
        return f"{NAMESPACES['rsp']}/SendResponse", "<rsp:SendResponse/>"

    def _receive(self, message: Message, shell: Shell) -> tuple[str, str]:
        element = None if message.body is None else message.body.find(_rsp("DesiredStream"))
        if element is None or not element.get("CommandId"):
            raise faults.bad_parameter(provider=True)
        command = self.shells.command(shell, element.get("CommandId"))
        if not self.shells.output(shell, command, message.timeout, lambda: self.stopping):
            raise faults.timed_out()
        room = min(message.max_envelope, self.shells.quotas.envelope_bytes) - _SPARE
        parts = [_stream(command, name, data) for name, data in _fitting(command, max(1024, room * 3 // 4))]
        code = None if command.pending else command.process.exit_code()
        if code is not None:
            late = command.process.read()
            parts += [_stream(command, name, data) for name, data in late]
            for name in ("stdout", "stderr"):
                parts.append(f'<rsp:Stream Name="{name}" CommandId="{command.id}" End="true"/>')
            command.gone = True
            parts.append(
                f'<rsp:CommandState CommandId="{command.id}" State="{_STATE}/Done">'
                f"<rsp:ExitCode>{code}</rsp:ExitCode></rsp:CommandState>"
            )
        else:
            parts.append(f'<rsp:CommandState CommandId="{command.id}" State="{_STATE}/Running"/>')
        body = f"<rsp:ReceiveResponse>{''.join(parts)}</rsp:ReceiveResponse>"
        return f"{NAMESPACES['rsp']}/ReceiveResponse", body

    def _signal(self, message: Message, shell: Shell) -> tuple[str, str]:
        element = message.body
        if element is None or element.tag != _rsp("Signal"):
            raise faults.bad_element("Signal")
        code = (element.findtext(_rsp("Code")) or "").strip().rpartition("/")[2]
        command = shell.commands.get(element.get("CommandId", "").upper())
        if code not in _SIGNALS:
            raise faults.bad_parameter()
        if command is None:
            raise faults.no_command()
        command.gone = True
        command.process.kill()
        return f"{NAMESPACES['rsp']}/SignalResponse", "<rsp:SignalResponse/>"


def _rsp(name: str) -> str:
    return f"{{{NAMESPACES['rsp']}}}{name}"


def _described(shell: Shell) -> str:
    """Tell of a shell that was made, in the order in which Windows does."""
    variables = "".join(
        f"<rsp:Variable Name={quoteattr(name)}>{escape(value)}</rsp:Variable>"
        for name, value in shell.environment.items()
    )
    named = {
        "ShellId": shell.id,
        "ResourceUri": SHELL_URI,
        "Owner": escape(shell.owner),
        "ClientIP": escape(shell.client),
        "Environment": variables,
        "WorkingDirectory": escape(shell.directory),
        "IdleTimeOut": f"PT{shell.idle_seconds:.3f}S",
        "InputStreams": escape(shell.input_streams),
        "OutputStreams": escape(shell.output_streams),
        "ShellRunTime": "P0DT0H0M0S",
        "ShellInactivity": "P0DT0H0M0S",
    }
    parts = (f"<rsp:{name}>{text}</rsp:{name}>" for name, text in named.items() if text)
    return f"<rsp:Shell>{''.join(parts)}</rsp:Shell>"


def _stream(command: Command, name: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return f'<rsp:Stream Name="{name}" CommandId="{command.id}">{text}</rsp:Stream>'


def _fitting(command: Command, room: int) -> list[tuple[str, Any]]:
    """Take as much of the output as one answer holds; what is left waits for the next one."""
    taken: list[tuple[str, Any]] = []
    while command.pending and room > 0:
        name, data = command.pending.pop(0)
        if len(data) > room:
            command.pending.insert(0, (name, data[room:]))
            data = data[:room]
        room -= len(data)
        taken.append((name, data))
    return taken
