"""A host as the control door sees it: its shells, and what can be done to it from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hvsdk_simulators.winrm.accounts import Accounts
from hvsdk_simulators.winrm.shells import Shells
from hvsdk_simulators.wire.control import Refused

from .actions import ACTIONS, ActionError
from .cmdlets.errors import CmdletError
from .world import World

__all__ = ["HostSubject"]


class HostSubject:
    """What the control door asks."""

    def __init__(self, world: World, shells: Shells, accounts: Accounts) -> None:
        self._world = world
        self._shells = shells
        self._own: dict[str, Callable[..., Any]] = {
            "kill-shells": shells.end_all,
            "kill-processes": shells.kill_processes,
            "account": accounts.change,
        }

    def sessions(self) -> list[dict[str, Any]]:
        """Return the remote shells."""
        return self._shells.show()

    def tasks(self) -> list[dict[str, Any]]:
        """Return nothing: long work goes on in the shells."""
        return []

    def act(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do an action.

        Raises:
            LookupError: There is no such action.
            Refused: It cannot be done.
        """
        function = ACTIONS.get(name)
        if function is None and name not in self._own:
            raise LookupError(f"no action {name}; there are {', '.join(sorted([*ACTIONS, *self._own]))}")
        try:
            if function is None:
                return self._own[name](**arguments)
            with self._world.lock:
                return function(self._world, **arguments)
        except (ActionError, CmdletError, KeyError, TypeError, ValueError) as error:
            raise Refused(f"{name}: {error}") from error
