"""Going back to a snapshot.

Hyper-V rolls back a machine's name, notes and settings with its disks, and leaves one with memory saved: the script that
reverts writes name and notes again and starts it. No other snapshot is merged or lost.
"""

from __future__ import annotations

from hvsdk.driver import Deadline, DomainInfo, Task

from hvsdk_hyperv._listing import ListingReads

__all__ = ["RevertVerbs"]


class RevertVerbs(ListingReads):
    """`revert_snapshot`."""

    def revert_snapshot(self, native_id: str, snapshot_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Go back: it runs afterwards from a snapshot with memory, and is off from any other."""
        arguments = {"id": native_id, "snapshot": snapshot_id}
        return self.begin("snapshots.revert", arguments, deadline=deadline, result=self.domain_info)
