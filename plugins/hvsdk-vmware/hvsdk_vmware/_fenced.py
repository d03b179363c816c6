"""Domains that a fence made templates: to vSphere they are such, to people they are the domains that they were."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hvsdk.driver import Deadline
from pyVmomi import vim

from hvsdk_vmware._bulk import BulkReads, object_spec
from hvsdk_vmware._extra_config import PLACE_KEY
from hvsdk_vmware._fields import Found, Values, options, text

__all__ = ["FencedReads", "fence_made_it", "is_template", "template_ids"]

_TEMPLATE, _EXTRA = "summary.config.template", "config.extraConfig"


class FencedReads(BulkReads):
    """Tells them from templates."""

    def fenced_among(self, templates: Collection[str], deadline: Deadline) -> frozenset[str]:
        """Return which of these templates a fence made such: one call, and none where there are no templates."""
        if not templates:
            return frozenset()
        objects = [object_spec(vim.VirtualMachine(one, self.stub)) for one in templates]
        found = self.read_all(objects, {vim.VirtualMachine: (_EXTRA,)}, deadline=deadline)
        return frozenset(one.id for one in found if fence_made_it(one.values))


def is_template(values: Values) -> bool:
    """Whether vSphere calls it a template."""
    return text(values, _TEMPLATE) == "true"


def template_ids(found: Iterable[Found]) -> list[str]:
    """Return the ids of those that vSphere calls templates."""
    return [one.id for one in found if is_template(one.values)]


def fence_made_it(values: Values) -> bool:
    """Whether a fence made a template of it, by its `extraConfig`."""
    return bool(dict(options(values, _EXTRA)).get(PLACE_KEY))
