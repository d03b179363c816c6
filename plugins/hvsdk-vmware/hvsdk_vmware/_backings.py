"""Which disk files lie on which: the files themselves do not tell, the domains that use them do."""

from __future__ import annotations

from collections.abc import Iterator

from hvsdk.driver import Deadline
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import NOTHING, Element, child, children
from hvsdk_vmware._session import VmwareSession

__all__ = ["BackingReads"]

_DEVICES = "config.hardware.device"
_DEEPEST = 64
"""Files of one disk that are followed; vSphere allows 32 snapshots."""


class BackingReads(VmwareSession):
    """Reads it of all domains that have files on a datastore."""

    def backings_on(self, pool_id: str, deadline: Deadline) -> dict[str, str]:
        """Return what files lie on, by the files, in one call."""
        way = vmodl.query.PropertyCollector.TraversalSpec(name="vms", type=vim.Datastore, path="vm", skip=False)
        begin = [object_spec(vim.Datastore(pool_id, self.stub), [way], skip=True)]
        found: dict[str, str] = {}
        for page in self.read(begin, {vim.VirtualMachine: (_DEVICES,)}, deadline=deadline):
            for one in page:
                for device in one.values.get(_DEVICES, NOTHING):
                    found.update(_pairs(next(iter(children(device, "backing")), NOTHING)))
        return found


def _pairs(backing: Element) -> Iterator[tuple[str, str]]:
    at = backing
    for _ in range(_DEEPEST):
        above = next(iter(children(at, "parent")), None)
        if above is None:
            return
        file, below = child(at, "fileName"), child(above, "fileName")
        if file and below:
            yield file, below
        at = above
