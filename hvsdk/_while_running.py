"""Verbs that some products cannot do to a domain that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hvsdk._operation import CONFIG
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.errors import PowerStateError

if TYPE_CHECKING:
    from hvsdk._operation import Doing

__all__ = ["RUNS", "WHILE_RUNNING", "refuse_running"]

WHILE_RUNNING: Final = {
    "attach_disk": Capability.HOTPLUG_DISK,
    "detach_disk": Capability.HOTPLUG_DISK,
    "resize_disk": Capability.RESIZE_DISK_RUNNING,
    "attach_nic": Capability.HOTPLUG_NIC,
    "detach_nic": Capability.HOTPLUG_NIC,
    "clone": Capability.CLONE_RUNNING,
    "clone_linked": Capability.CLONE_LINKED_RUNNING,
}
"""What a verb needs of a domain that runs."""
RUNS: Final = frozenset({PowerState.RUNNING, PowerState.PAUSED})


def refuse_running(doing: Doing) -> None:
    """Refuse a domain that runs, where the product cannot do this to one; costs a read only there.

    Raises:
        PowerStateError: It runs.
    """
    verb = doing.operation.verb
    if verb == "clone" and doing.operation.arguments["linked"]:
        verb = "clone_linked"
    reason = doing.host._why_not(WHILE_RUNNING[verb], doing.info)
    if reason is None:
        return
    info = doing.look(CONFIG)
    if info.power_state in RUNS:
        raise PowerStateError(
            f"{verb} is not possible while {doing.subject} is {info.power_state}: {reason}",
            state=info.power_state,
            backend=doing.host.backend,
            host=doing.host.url,
            hint="shut it down first",
        )
