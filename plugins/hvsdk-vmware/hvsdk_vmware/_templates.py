"""Templates: what a domain is as one, and where it can become a domain, or a copy of it one."""

from __future__ import annotations

from typing import Any

from hvsdk.driver import Capability, Deadline, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import Values, text
from hvsdk_vmware._snapshot_tree import TreeReads

__all__ = ["TemplateReads"]

Collector = vmodl.query.PropertyCollector


class TemplateReads(TreeReads):
    """Finds places for domains."""

    def place_of_template(self, values: Values, deadline: Deadline) -> tuple[vim.ResourcePool, vim.HostSystem]:
        """Return where a copy of a template runs: on its host, in the topmost pool of that.

        Args:
            values: With `runtime.host`.
        """
        host = text(values, "runtime.host")
        pool = self._topmost_pool(vim.HostSystem(host, self.stub), deadline) if host else ""
        if not pool:
            raise errors.UnsupportedError(
                "no resource pool of the template's host is shown to this user", capability=Capability.CLONE
            )
        return vim.ResourcePool(pool, self.stub), vim.HostSystem(host, self.stub)

    def _topmost_pool(self, host: vim.HostSystem, deadline: Deadline) -> str:
        """Return the pool of a host, or of the cluster that it is in; `""` when it is not shown to this user."""
        way = Collector.TraversalSpec(name="compute", type=vim.HostSystem, path="parent", skip=False)
        wish: dict[type, tuple[str, ...]] = {vim.ComputeResource: ("resourcePool",)}
        found = self.read_all([object_spec(host, [way])], wish, deadline=deadline)
        return text(found[0].values, "resourcePool") if found else ""

    def is_there(self, mo: Any, deadline: Deadline) -> bool:
        """Whether an object of an inventory is there and shown to this user."""
        return bool(self.property_of(mo, "name", deadline))

    def property_of(self, mo: Any, path: str, deadline: Deadline) -> str:
        """Return a property of an object as a text, `""` when either is not there."""
        found = self.read_all([object_spec(mo)], {type(mo): (path,)}, deadline=deadline)
        return text(found[0].values, path) if found else ""
