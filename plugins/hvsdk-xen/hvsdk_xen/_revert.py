"""Going back to a snapshot, and keeping what is written on the domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Deadline, DomainInfo, Steps, Task, in_background

from hvsdk_xen._labels import AUTO_POWERON, METADATA_PREFIX, LabelVerbs
from hvsdk_xen._verbs import VerbSession

__all__ = ["RevertVerbs"]

_FIELDS = ("name_label", "name_description", "tags", "blocked_operations")
"""Fields of a VM that a revert takes back with the disks, and that say something about the domain of today."""


class RevertVerbs(LabelVerbs, VerbSession):
    """What `revert_snapshot` does once the snapshot is found."""

    def reverting(
        self, native_id: str, ref: str, vm: Mapping[str, Any], snapshot: str, deadline: Deadline
    ) -> Task[DomainInfo | None]:
        """Return the task of a revert; once begun it comes to its end, whoever waits for it.

        XAPI refuses it where the domain or the snapshot is fenced. The disks are new ones afterwards, with other UUIDs.
        """
        return in_background(self._revert(native_id, ref, vm, snapshot, deadline))

    def _revert(
        self, native_id: str, ref: str, vm: Mapping[str, Any], snapshot: str, deadline: Deadline
    ) -> Steps[None]:
        yield self.start_task("VM.revert", snapshot, deadline=deadline)
        now = self.call("VM.get_record", ref, deadline=self.soon())
        self._keep(native_id, ref, vm, now)
        if now.get("power_state") == "Suspended":
            yield self.start_task("VM.resume", ref, False, False, deadline=self.soon())

    def _keep(self, native_id: str, ref: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Write again what was rolled back, and nothing that is as it was."""
        for field in _FIELDS:
            if field in before and _differ(before[field], now.get(field)):
                self.call(f"VM.set_{field}", ref, before[field], deadline=self.soon())
        old, new = _ours(before), _ours(now)
        changes: dict[str, str | None] = {key: None for key in new if key not in old}
        changes |= {key: value for key, value in old.items() if new.get(key) != value}
        self.write_other_config(native_id, changes, deadline=self.soon())


def _ours(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of `other_config` that a domain keeps: those of the product belong to its hardware."""
    config = record.get("other_config", {})
    return {key: value for key, value in config.items() if key.startswith(METADATA_PREFIX) or key == AUTO_POWERON}


def _differ(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return sorted(one) != sorted(other)
    return bool(one != other)
