"""Operations by name: each is the twin of one in a client's scripts, and is to answer exactly what that answers."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.versions import has_parameter

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["OPERATIONS", "Host", "RefusalError", "load", "operation"]


class RefusalError(Exception):
    """What a script throws by itself with `Stop-Operation KIND TEXT`, such as `PowerState`."""

    def __init__(self, kind: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.details = details


class Host:
    """The host as a script sees it: `host.run("Get-VM", Id=…)`, and what goes on beside it."""

    def __init__(self, world: World, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.world = world
        self.cancelled = cancelled
        self.progress: float | None = None
        self.left: list[str] = []
        """What could not be taken back."""

    def run(self, name: str, **parameters: Any) -> list[Any]:
        """Run a cmdlet. What it writes has only what the module of this version has."""
        return registry.run(self.world, name, parameters)

    def has(self, cmdlet: str, parameter: str) -> bool:
        """Whether a cmdlet takes a parameter here: the twin of `(Get-Command X).Parameters.ContainsKey('…')`."""
        return has_parameter(self.world.options.version, cmdlet, parameter)

    def share(self, share: float) -> None:
        """Tell how far a long operation is, from 0.0 to 1.0: the twin of `Write-Share`."""
        self.progress = share

    def undo(self, what: str, step: Callable[[], object]) -> bool:
        """Take one thing back, and return whether that was done: the twin of `Undo-Step`."""
        try:
            step()
        except (CmdletError, RefusalError) as error:
            self.left.append(f"{what} ({error.message})")
            return False
        except OSError as error:
            self.left.append(f"{what} ({error.strerror})")
            return False
        return True

    def one(self, name: str, **parameters: Any) -> Any:
        """Run a cmdlet that returns one object."""
        (found,) = self.run(name, **parameters)
        return found


Operation = Callable[[Host, dict[str, Any]], Any]
OPERATIONS: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    """Register a function as the operation: `@operation("power.start")`. It takes the host and the arguments."""

    def register(function: Operation) -> Operation:
        assert name not in OPERATIONS, name
        OPERATIONS[name] = function
        return function

    return register


def load() -> None:
    """Import all modules of this package, each of which registers its operations."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
