"""The engine that starts the very command it is asked for, in a real PowerShell with stand-ins for Windows' modules."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hvsdk_simulators.hyperv.cmdlets import registry as cmdlets
from hvsdk_simulators.hyperv.stub.answering import Answering
from hvsdk_simulators.hyperv.stub.generate import module_path

from .command_lines import is_powershell, split
from .output import WritingProcess

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["EngineError", "PowerShellProcess", "executable"]

_KILLED = 1
_KEPT = ("HOME", "LANG", "PATH", "TMPDIR", "TZ", "XDG_CACHE_HOME", "DOTNET_ROOT")


class EngineError(Exception):
    """There is no PowerShell; the text says what to do."""


def executable() -> str:
    """Return PowerShell: `HVSDK_POWERSHELL`, else `../shared/tools/powershell` beside the repository, else `pwsh`.

    Raises:
        EngineError: None of them is there.
    """
    named = os.environ.get("HVSDK_POWERSHELL")
    beside = [up / "shared" / "tools" / "powershell" for up in Path(__file__).resolve().parents]
    for place in [Path(named)] if named else beside:
        if place.is_file() and os.access(place, os.X_OK):
            return str(place)
    found = None if named else shutil.which("pwsh")
    if found is None:
        raise EngineError("there is no PowerShell: set HVSDK_POWERSHELL to one, or use the engine 'python'")
    return found


class PowerShellProcess(WritingProcess):
    """One command in a process of its own, in the directory that holds the host's files."""

    def __init__(self, world: World, command_line: str, environment: Mapping[str, str], codepage: int) -> None:
        cmdlets.load()
        super().__init__()
        self._input: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answering: Answering | None = None
        words = split(command_line)
        if words and words[0].lower().removesuffix(".exe") == "cmd" and len(words) > 2:
            words = words[2:]
        if not is_powershell(command_line):
            name = words[0] if words else ""
            text = (
                f"'{name}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
            )
            self._output.put("stderr", text.encode())
            self._output.end(1)
            return
        self._answering = Answering(world)
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own |= {
            "PSModulePath": str(module_path(world.options.version)),
            "POWERSHELL_CODEPAGE": str(codepage),
            "HVSDK_STUB_PORT": str(self._answering.port),
            "HVSDK_STUB_TOKEN": self._answering.token,
        }
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [executable(), *words[1:]],
            cwd=world.root,
            env={**environment, **own},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )
        self._start_threads()

    def write(self, data: bytes) -> None:
        """Take standard input."""
        self._input.put(data)

    def close_input(self) -> None:
        """Say that no more input comes."""
        self._input.put(None)

    def kill(self) -> None:
        """End it at once."""
        self._input.put(None)
        if self._answering is not None and not self._output.ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._output.end(_KILLED)

    def _start_threads(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        readers = [
            threading.Thread(target=self._pump, args=("stdout", self._process.stdout), daemon=True),
            threading.Thread(target=self._pump, args=("stderr", self._process.stderr), daemon=True),
        ]
        for thread in readers:
            thread.start()
        threading.Thread(target=self._feed, daemon=True).start()
        threading.Thread(target=self._wait, args=(readers,), daemon=True).start()

    def _pump(self, stream: str, source: IO[bytes]) -> None:
        while data := os.read(source.fileno(), 65536):
            self._output.put(stream, data)

    def _feed(self) -> None:
        sink = self._process.stdin
        assert sink is not None
        with contextlib.suppress(OSError, ValueError):
            while (data := self._input.get()) is not None:
                sink.write(data)
                sink.flush()
        with contextlib.suppress(OSError):
            sink.close()

    def _wait(self, readers: list[threading.Thread]) -> None:
        code = self._process.wait()
        for thread in readers:
            thread.join(5)
        self._input.put(None)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        self._process.stderr.close()
        assert self._answering is not None
        self._answering.close()
        self._output.end(code if code >= 0 else _KILLED)
