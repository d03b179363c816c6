"""Domains that a fence made templates: to vSphere they are such, to people they are the domains that they were."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

import attrs
from hvsdk.driver import Deadline, Target
from pyVmomi import vim

from hvsdk_vmware._bulk import BulkReads, object_spec
from hvsdk_vmware._extra_config import PLACE_KEY
from hvsdk_vmware._fields import Found, Values, options, text

__all__ = ["FencedReads", "Place", "fence_made_it", "is_template", "template_ids"]

_KNOWN_SECONDS = 60.0
_LONGEST_ID = 100
_TEMPLATE, _EXTRA, _UUID = "summary.config.template", "config.extraConfig", "summary.config.instanceUuid"


@attrs.frozen
class Place:
    """Where a domain was when it was fenced, and which one it is; `""` where there was none."""

    pool: str = ""
    """Id of its resource pool."""
    host: str = ""
    """Id of its host."""
    uuid: str = ""
    """Its own: a template that another client copied from it has another one."""

    def write(self) -> str:
        """Return it as it is stored."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def read(cls, stored: str) -> Place:
        """Return what is stored; what somebody else wrote there counts as nothing."""
        try:
            found = json.loads(stored)
            parts = [str(found.get(name) or "")[:_LONGEST_ID] for name in ("pool", "host", "uuid")]
        except (ValueError, AttributeError, RecursionError):
            return cls()
        return cls(*parts)


class FencedReads(BulkReads):
    """Tells them from templates.

    What was found out of a template holds for a while, so that a listing is one call: its `extraConfig` cannot be changed
    as long as it is one. Only who unfences a domain elsewhere and makes a template of it at once is believed late.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._fenced_known: dict[str, tuple[bool, Deadline]] = {}

    def fenced_among(self, templates: Collection[str], deadline: Deadline) -> frozenset[str]:
        """Return which of these templates a fence made such: one call, and none where all are known."""
        known = {one: found for one, found in self._fenced_known.items() if not found[1].expired}
        new = [one for one in templates if one not in known]
        if new:
            objects = [object_spec(vim.VirtualMachine(one, self.stub)) for one in new]
            until = Deadline(_KNOWN_SECONDS)
            for one in self.read_all(objects, {vim.VirtualMachine: (_EXTRA, _UUID)}, deadline=deadline):
                known[one.id] = (fence_made_it(one.values), until)
            self._fenced_known = known
        return frozenset(one for one in templates if known.get(one, (False,))[0])

    def forget_fence(self, native_id: str) -> None:
        """Let a domain be looked at anew: it is fenced, or unfenced."""
        self._fenced_known.pop(native_id, None)


def is_template(values: Values) -> bool:
    """Whether vSphere calls it a template."""
    return text(values, _TEMPLATE) == "true"


def template_ids(found: Iterable[Found]) -> list[str]:
    """Return the ids of those that vSphere calls templates."""
    return [one.id for one in found if is_template(one.values)]


def fence_made_it(values: Values) -> bool:
    """Whether a fence made a template of it, by its `extraConfig`; copies of such are templates."""
    stored = dict(options(values, _EXTRA)).get(PLACE_KEY)
    if not stored:
        return False
    uuid = Place.read(stored).uuid
    return not uuid or uuid == text(values, _UUID).lower()
