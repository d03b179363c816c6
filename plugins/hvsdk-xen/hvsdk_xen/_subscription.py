"""What one watch knows of the pool, to tell what an event means: of domains fingerprints, not the records."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from hvsdk.connections import Endpoint

from hvsdk_xen._fields import Record, Records, mapping, reference
from hvsdk_xen._labels import AUTO_POWERON, METADATA_PREFIX
from hvsdk_xen._records import is_domain, node_names, uuid_of
from hvsdk_xen._states import unheard_hosts

__all__ = ["Subscription"]

_TOLD = (
    *("name_description", "tags", "blocked_operations", "VBDs", "VIFs", "VGPUs", "VUSBs", "VTPMs", "domain_type"),
    *("VCPUs_max", "VCPUs_params", "memory_static_max", "memory_dynamic_min", "HVM_boot_params", "HVM_boot_policy"),
    *("PV_bootloader", "PV_kernel", "PV_ramdisk", "PV_args", "affinity", "actions_after_crash", "ha_restart_priority"),
)
"""Fields that people change, and that the summary does not show. XAPI tells of many others, which it writes itself."""
_OURS = frozenset(("folder", "pci", AUTO_POWERON))
_CLOCK_OFFSET = "timeoffset"
_GUEST = ("networks", "os_version", "PV_drivers_version", "PV_drivers_up_to_date", "netbios_name", "live")


@attrs.define
class Subscription:
    """Where one watch is.

    Attributes:
        token: XAPI's; everything newer has not been told.
        master: Who gave it: another one numbers changes differently.
        hosts: Records of the hosts by reference.
        host_metrics: Those of their metrics.
        uuids: Of all domains by reference: of what is removed XAPI tells the reference alone.
    """

    token: str
    master: Endpoint
    hosts: Records
    host_metrics: Records
    uuids: dict[str, str] = attrs.field(factory=dict)
    _snapshots: set[str] = attrs.field(factory=set)
    _marks: dict[str, int] = attrs.field(factory=dict)
    _guests: dict[str, str] = attrs.field(factory=dict)
    _guest_marks: dict[str, int] = attrs.field(factory=dict)
    _surplus: int | None = None

    @property
    def nodes(self) -> dict[str, str]:
        """Names of the nodes by reference."""
        return node_names(self.hosts)

    @property
    def unheard(self) -> frozenset[str]:
        """References of the hosts that the pool no longer hears."""
        return unheard_hosts(self.hosts, self.host_metrics)

    def see_hosts(self, hosts: Records, metrics: Records) -> bool:
        """Take note of hosts, and return whether one that is known has another name, or is heard no more, or again."""
        names, unheard, known = self.nodes, self.unheard, self.hosts.keys()
        self.hosts = {**self.hosts, **hosts}
        self.host_metrics = {**self.host_metrics, **metrics}
        return any(self.nodes[ref] != name for ref, name in names.items()) or self.unheard & known != unheard

    def learn(self, vms: Mapping[str, Record]) -> None:
        """Take over a listing of all VM records."""
        self.uuids, self._snapshots, self._marks, self._guests, self._surplus = {}, set(), {}, {}, None
        for ref, vm in vms.items():
            self.see(ref, vm)

    def see(self, ref: str, vm: Record) -> bool:
        """Take note of a VM's record, and return whether it has changed in a way that its summary does not show."""
        if not is_domain(vm):
            self._snapshots.add(ref)
            return False
        self.uuids[ref] = uuid_of(vm, "VM")
        guest = reference(vm, "guest_metrics")
        if guest is not None:
            self._guests[guest] = ref
        mark = _mark(vm)
        before = self._marks.get(ref)
        self._marks[ref] = mark
        return before not in (None, mark)

    def forget(self, ref: str) -> str | None:
        """Take note that a VM record is gone, and return its UUID if it was a domain."""
        self._snapshots.discard(ref)
        self._marks.pop(ref, None)
        return self.uuids.pop(ref, None)

    def see_guest(self, ref: str, metrics: Record | None) -> str | None:
        """Take note of what a guest's tools tell, and return the domain if that is something else than before."""
        if metrics is None:
            self._guest_marks.pop(ref, None)
            self._guests.pop(ref, None)
            return None
        mark = hash(tuple(repr(metrics.get(field)) for field in _GUEST))
        before = self._guest_marks.get(ref)
        self._guest_marks[ref] = mark
        return None if before == mark else self._guests.get(ref)

    def adds_up(self, counted: int | None) -> bool:
        """Return whether as many VM records are known as the pool has; if not, an event was lost.

        What counts is that the difference stays what it was at first: a server may count what it does not show.
        """
        if counted is None:
            return True
        surplus = counted - len(self.uuids) - len(self._snapshots)
        if self._surplus is None:
            self._surplus = surplus
        return surplus == self._surplus


def _mark(vm: Record) -> int:
    """Return a number that changes with the fields that the summary does not show."""
    other = mapping(vm, "other_config").items()
    told = [repr(vm.get(field)) for field in _TOLD]
    told += sorted(f"{key}={value}" for key, value in other if key in _OURS or key.startswith(METADATA_PREFIX))
    told += sorted(f"{key}={value}" for key, value in mapping(vm, "platform").items() if key != _CLOCK_OFFSET)
    return hash(tuple(told))
