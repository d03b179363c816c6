"""A pool as the control door sees it, and what can be done to its sessions, tasks and events from there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from hvsdk_simulators.wire.control import Refused

from . import sessions, tasks
from .actions import ACTIONS, action
from .failure import Failure
from .hosts.life import cut
from .world import World


class PoolSubject:
    """What the control door asks."""

    def __init__(self, world: World) -> None:
        self._world = world

    def sessions(self) -> list[dict[str, Any]]:
        """Return the live sessions."""
        with self._world.lock:
            return sessions.show(self._world)

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks that are there."""
        with self._world.lock:
            return tasks.show(self._world)

    def act(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do an action.

        Raises:
            LookupError: There is no such action.
            Refused: The arguments are not its own, or it cannot be done.
        """
        function = ACTIONS.get(name)
        if function is None:
            raise LookupError(f"no action {name}; there are {', '.join(sorted(ACTIONS))}")
        try:
            inspect.signature(function).bind(self._world, **arguments)
        except TypeError as error:
            raise Refused(f"{name}: {error}") from None
        try:
            with self._world.lock:
                return function(self._world, **arguments)
        except Failure as failure:
            raise Refused(f"{name}: {' '.join(failure.details)}") from failure
        except LookupError as error:
            raise Refused(f"{name}: there is no {error}") from error
        except (TypeError, ValueError) as error:
            raise Refused(f"{name}: {error}") from error


@action("expire-sessions")
def expire_sessions(world: World, *, originator: str | None = None) -> int:
    """End all sessions, or those of one originator, and return how many."""
    found = [one for one in world.db.all("session") if originator is None or one["originator"] == originator]
    for session in found:
        sessions.end(world, session)
    return len(found)


@action("lose-events")
def lose_events(world: World) -> None:
    """Make every token too old."""
    world.db.lose_events()


@action("vanish-task")
def vanish_task(world: World, *, task: str | None = None) -> list[str]:
    """Take a task's record away, or those of all, and return their references. Their work goes on."""
    found = world.db.all("task") if task is None else [world.db.get("task", task)]
    for one in found:
        tasks.vanish(world, one)
    return [one.ref for one in found]


@action("restart-toolstack")
def restart_toolstack(world: World) -> None:
    """Do what a restart of the server's own processes does: no session and no task outlives it, VMs run on.

    What is under way fails; nobody can ask for the outcome any more.
    """
    for task in world.db.all("task"):
        tasks.abandon(world, task)
    for session in world.db.all("session"):
        sessions.end(world, session)
    world.db.lose_events()
    for member in world.members:
        cut(member)
