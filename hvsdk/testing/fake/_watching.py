"""Push: changes are told as they happen, and a watch that fell behind is told so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hvsdk._driver.base import Change
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._records import domain_info

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk.testing.fake._world import World

__all__ = ["WatchVerbs"]

_SUMMARY = frozenset({"summary"})


class WatchVerbs(Connection):
    """watch."""

    def watch(self, token: Any, seconds: float, *, deadline: Deadline) -> tuple[list[Change], Any]:
        """Wait for changes; several of one domain are told as one, with the domain as it is now."""
        with self.round_trip("watch", deadline) as world:
            changes = world.changes
            if token is None:
                return [], changes.last
            self._await(world, token, min(seconds, deadline.remaining()))
            found = changes.since(token)
            if found is None:
                return [], None
            told = []
            for native_id, kind in found.items():
                domain = world.domains.get(native_id)
                info = None if domain is None else domain_info(world, domain, _SUMMARY)
                told.append(Change(native_id=native_id, info=info, kind=kind))
            return told, changes.last

    def _await(self, world: World, token: int, seconds: float) -> None:
        """Wait, without the world's lock, until there is something after `token`. What is due meanwhile happens."""
        end = world.now() + seconds
        while world.changes.last == token and not self._gone.is_set():
            left = end - world.now()
            if left <= 0:
                return
            world.changes.condition.wait(min(left, world.idle_seconds()))
            world.settle()
            if self._outages != world.outages:
                self._drop("the connection broke")
