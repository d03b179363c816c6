"""Moving a domain: to another node of the cluster, to another folder, or to another host.

The host that the domain is on does the work, and talks to the other one itself. For that it must be let act for the user
there: with CredSSP, or with Kerberos and delegation. Before anything moves both hosts are asked what stands in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hvsdk.driver import Capability, Deadline, Driver, Task, Unsupported

from hvsdk_hyperv._host import HostReads

__all__ = ["MigrateVerbs"]


class MigrateVerbs(HostReads):
    """`check_migrate` and `migrate`."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.about.get("cluster"):
            limits.setdefault(Capability.MIGRATE_NODE, Unsupported("this host is in no cluster"))
        return limits

    def check_migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> str | None:
        there = self._place(native_id, target, node, pool, live, deadline)
        if there["same"]:
            return "it is on that host already: say node= or pool="
        reason = self.call("migrate.check", there, deadline=deadline)
        return None if reason is None else str(reason)

    def migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> Task[str]:
        """Move it. Its id stays; what fails is taken back by Hyper-V, and the domain goes on where it was."""
        there = self._place(native_id, target, node, pool, live, deadline)
        return self.begin("migrate.move", there, deadline=deadline, result=str)

    def _place(
        self, native_id: str, target: Driver, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> dict[str, Any]:
        """Return the arguments of a move: `computer` for another host, else `node` and `pool` of this one's cluster."""
        arguments: dict[str, Any] = {"id": native_id, "node": node, "pool": pool, "live": live, "same": False}
        other = cast("MigrateVerbs", target)
        if node is None and other is self:
            return arguments
        place = other.call("migrate.place", deadline=deadline)
        arguments["folder"] = pool or f"{place['folder']}\\{native_id}"
        if other is not self:
            mine = self.call("migrate.place", deadline=deadline)
            arguments["computer"] = node or place["computer"]
            arguments["same"] = node is None and mine["computer"] == place["computer"]
        return arguments
