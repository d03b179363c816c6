"""Snapshots: checkpoints of exactly the kind that was asked for, listed, and merged away.

Hyper-V makes them as the machine is set to: standard ones with its memory, or production ones of a guest that came to
rest, which fall back to standard ones unless that is forbidden. A snapshot of the disks alone of a domain that runs is a
standard one whose memory is dropped right after: its disks are those of one moment.

A checkpoint has no description of its own, but a copy of the machine's notes. What hvsdk has to say is the last line there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.driver import Capability, Deadline, DomainInfo, SnapshotInfo, Task, Unsupported

from hvsdk_hyperv._host import HostReads
from hvsdk_hyperv._records import moment

__all__ = ["SnapshotVerbs", "snapshot_info"]

_PRODUCTION = (2,)
"""Version of the module from which there are production checkpoints."""
_MARK = re.compile(r"\[hvsdk checkpoint (?P<values>\{[^\r\n]*\})\]\s*\Z")


class SnapshotVerbs(HostReads):
    """Make, list and remove snapshots."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if self.module_version and self.module_version < _PRODUCTION:
            reason = "checkpoints of a guest at rest came with Windows Server 2016"
            limits.setdefault(Capability.SNAPSHOT_QUIESCE, Unsupported(reason))
        return limits

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if info.has("config") and info.details.get("hyperv.checkpoint_type") == "Disabled":
            reason = "checkpoints are switched off for it: Set-VM -CheckpointType Production allows them"
            limits.setdefault(Capability.CREATE_SNAPSHOT, Unsupported(reason))
        return limits

    def list_snapshots(self, native_id: str, *, deadline: Deadline) -> Iterable[SnapshotInfo]:
        found = [snapshot_info(one) for one in self.call("snapshots.list", {"id": native_id}, deadline=deadline)]
        return _parents_first(found)

    def create_snapshot(
        self, native_id: str, name: str, *, memory: bool, quiesce: bool, description: str, deadline: Deadline
    ) -> Task[SnapshotInfo]:
        """Make a snapshot. The machine's settings that say of which kind are put back in the same request."""
        kind = "memory" if memory else "quiesce" if quiesce else "disks"
        arguments = {
            "id": native_id,
            "name": name,
            "kind": kind,
            "mark": _mark(description, quiesced=quiesce),
        }
        return self.begin("snapshots.create", arguments, deadline=deadline, result=snapshot_info)

    def delete_snapshot(self, native_id: str, snapshot_id: str, *, children: bool, deadline: Deadline) -> Task[None]:
        """Remove a snapshot; its end is that of the merge of its disks. The domain's present state stays."""
        arguments = {"id": native_id, "snapshot": snapshot_id, "children": children}
        return self.begin("snapshots.delete", arguments, deadline=deadline)


def snapshot_info(record: Mapping[str, Any]) -> SnapshotInfo:
    """Return a snapshot from the record that the scripts answer."""
    told = _told(record["notes"])
    memory = record["state"] != "Off"
    quiesced = False if memory else told.get("quiesced")
    return SnapshotInfo(
        id=record["id"],
        name=record["name"],
        created_at=moment(record["created"]),
        parent=record["parent"],
        is_current=record["current"],
        has_memory=memory,
        quiesced=quiesced if isinstance(quiesced, bool) else None,
        description=str(told.get("description", "")),
        details={"hyperv.state": record["state"], "hyperv.type": record["type"]},
    )


def _mark(description: str, *, quiesced: bool) -> str | None:
    """Return what is written below the machine's notes for the moment; None where there is nothing to say."""
    values: dict[str, Any] = {}
    if description:
        values["description"] = description
    if quiesced:
        values["quiesced"] = True
    return f"\n\n[hvsdk checkpoint {json.dumps(values)}]" if values else None


def _told(notes: str) -> Mapping[str, Any]:
    """Return what the last line of a checkpoint's notes says, when it is one of ours."""
    found = _MARK.search(notes)
    if found is None:
        return {}
    try:
        values = json.loads(found["values"])
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _parents_first(found: Iterable[SnapshotInfo]) -> list[SnapshotInfo]:
    """Put parents before their children, and else older ones first."""
    waiting = sorted(found, key=lambda one: (one.created_at is None, one.created_at, one.id))
    known = {one.id for one in waiting}
    placed: dict[str, SnapshotInfo] = {}
    while waiting:
        ready = [one for one in waiting if one.parent in placed or one.parent not in known] or waiting
        placed |= {one.id: one for one in ready}
        waiting = [one for one in waiting if one.id not in placed]
    return list(placed.values())
