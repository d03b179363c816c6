"""The cmdlets by name, and how one is run: by the stub module of PowerShell as by the engine without it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import CmdletError
from .records import Record, WarningText
from .versions import is_new_property, is_old

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["CMDLETS", "Bound", "cmdlet", "load", "run"]


class Bound(dict[str, Any]):
    """The parameters that a cmdlet was given, by their proper names; what was not given is not there.

    Switches are True or False; objects are records; enums are labels; lists are lists, also of one.
    """

    def flag(self, name: str) -> bool:
        """Whether a switch was given."""
        return bool(self.get(name))

    def many(self, name: str) -> list[Any]:
        """Return a parameter that takes several as a list; none when it was not given."""
        value = self.get(name)
        return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


Cmdlet = Callable[["World", Bound], Iterable[Any] | None]
CMDLETS: dict[str, Cmdlet] = {}
_DENIED = (
    "You do not have the required permission to complete this task. Contact the administrator of the authorization "
    "policy for the computer '{}'."
)


def cmdlet(name: str) -> Callable[[Cmdlet], Cmdlet]:
    """Register a function as the cmdlet: `@cmdlet("Start-VM")`."""

    def register(function: Cmdlet) -> Cmdlet:
        assert name not in CMDLETS, name
        CMDLETS[name] = function
        return function

    return register


def load() -> None:
    """Import all modules of this package, each of which registers its cmdlets."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")


def run(world: World, name: str, parameters: Mapping[str, Any], warnings: list[str] | None = None) -> list[Any]:
    """Run a cmdlet with parameters that have been bound, and return what it writes to its output.

    What it warns of is added to `warnings`.

    A cmdlet may run others: time passes in any of them with the lock given up whole (see `World.sleep`).

    Raises:
        CmdletError: What the real one would write to the error stream.
        StoppedError: Its pipeline was stopped while it took its time.
    """
    function = CMDLETS.get(name)
    if function is None:
        text = (
            f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program."
        )
        raise CmdletError(
            "CommandNotFoundException", "ObjectNotFound", text, name, exception="CommandNotFoundException"
        )
    written: list[Any] = []
    warned = [] if warnings is None else warnings
    try:
        if world.facts.get("denied") and name.partition("-")[2].startswith(("VM", "VHD")):
            raise CmdletError("Unspecified", "NotSpecified", _DENIED.format(world.node), name)
        with world.lock:
            for one in function(world, Bound(parameters)) or ():
                (warned if isinstance(one, WarningText) else written).append(one)
    except CmdletError as error:
        if error.cmdlet is None:
            error.be_of(name, old=is_old(world.options.version))
            error.written = written
        raise
    if is_old(world.options.version):
        _take_back(written)
    return written


def _take_back(written: Iterable[Any]) -> None:
    """Take what the older module does not have from objects that it returns."""
    for one in written:
        if isinstance(one, Record):
            one.properties = {key: value for key, value in one.properties.items() if not is_new_property(one.type, key)}
