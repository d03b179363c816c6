"""The engine without PowerShell: answers the requests of a client's resident script with the twins of its operations."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from hvsdk_simulators.hyperv.cmdlets import registry as cmdlets
from hvsdk_simulators.hyperv.twins import registry as twins

from .command_lines import encoded_script
from .output import WritingProcess
from .requests import Requests

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["PythonProcess"]

_RESIDENT = "[Console]::In.ReadLine()"
"""What a script has that reads requests from its standard input."""


class PythonProcess(WritingProcess):
    """One command. A resident script is answered; anything else fails, as there is no PowerShell."""

    def __init__(self, world: World, command_line: str) -> None:
        cmdlets.load()
        twins.load()
        super().__init__()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._rest = b""
        self._requests = Requests(world)
        script = encoded_script(command_line)
        if script is None or _RESIDENT not in script:
            name = command_line.split(maxsplit=1)[0] if command_line.strip() else ""
            text = f"'{name}' needs PowerShell, and this host was started without it (--engine powershell has it).\r\n"
            self._output.put("stderr", text.encode())
            self._output.end(1)
            return
        threading.Thread(target=self._serve, name="python-engine", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Take standard input."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.put(line)

    def close_input(self) -> None:
        """Say that no more input comes."""
        if self._rest:
            self._lines.put(self._rest)
            self._rest = b""
        self._lines.put(None)

    def kill(self) -> None:
        """End it at once."""
        self._output.end(1)
        self._requests.stop()
        self._lines.put(None)

    def _serve(self) -> None:
        line = self._lines.get()  # the client's scripts, which the twins stand for
        while line is not None and not self._output.ended and (line := self._lines.get()) is not None:
            if line.strip():
                self._output.put("stdout", self._requests.answer(line) + b"\r\n")
        self._requests.stop()
        self._output.end(0)
