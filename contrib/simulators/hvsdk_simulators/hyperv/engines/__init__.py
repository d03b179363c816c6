"""What carries out the commands that clients send: PowerShell, or Python in its stead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World
    from hvsdk_simulators.winrm.process import Process

__all__ = ["start"]


def start(world: World, command_line: str, environment: Mapping[str, str], codepage: int) -> Process:
    """Start a command as a shell on the host does.

    Args:
        world: The host.
        command_line: As the client gave it, arguments and all.
        environment: What the client's shell added to the environment.
        codepage: Of the console.

    Raises:
        EngineError: The engine that was chosen is not there; the text says what to do.
    """
    if world.options.engine == "powershell":
        from .powershell import PowerShellProcess

        return PowerShellProcess(world, command_line, environment, codepage)
    from .python import PythonProcess

    return PythonProcess(world, command_line)
