"""Inventory: all records of a class in one call each, put together here."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import XenAPI
from hvsdk.driver import Deadline, DomainInfo, Target, errors

from hvsdk_xen._details import RARE, has_rare
from hvsdk_xen._devices import vlans
from hvsdk_xen._fields import Record, Records, Related, record_of, records_of, reference
from hvsdk_xen._login import code_of
from hvsdk_xen._records import is_domain, node_names, records, summaries, uuid_of
from hvsdk_xen._related import Memory, RelatedReads
from hvsdk_xen._states import as_seen, unheard_hosts
from hvsdk_xen._values import is_ref

__all__ = ["ListingReads"]

_CONFIG = ("VBD", "VDI", "SR", "VIF", "network", "PIF", "VM_metrics", "VM_guest_metrics")
_GUEST = ("VIF", "VM_guest_metrics")
_HOSTS = ("host", "host_metrics")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ListingReads(RelatedReads):
    """`list_domains`, `get_domain` and `find_domains`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._hosts: Records | None = None
        self._memory = Memory()

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all domains: two calls for the summary, at most eleven with all that there is, whatever their number."""
        found = self.read_together(_HOSTS, deadline)
        self._hosts = found.get("host", {})
        vms = self.domain_records(deadline)
        if include:
            found.update(self._all_related(vms, include, deadline))
        return self._infos(vms.values(), include, self._hosts, found)

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one domain: one call for the summary, and at most four with all that there is, whatever it has.

        What it referred to the last time is asked for together with it: as long as that has not changed, it is one call
        again. A node that was renamed since the last listing may have its former name.
        """
        vm, found = self._with_related(native_id, include, deadline)
        (info,) = self._infos((vm,), include, self._hosts_for(vm, deadline), found)
        return info

    def find_domains(self, key: str, *, deadline: Deadline) -> Iterable[str]:
        refs = self._by_uuid(key, deadline) if self.could_be_native_id(key) else {}
        if not refs:
            named = self.call("VM.get_by_name_label", key, deadline=deadline)
            refs = dict.fromkeys(ref for ref in named if is_ref(ref)) if isinstance(named, list) else {}
        if not refs:
            return []
        vms = self.read_together((f"vm/{ref}" for ref in refs), deadline).get("vm", {})
        found = {uuid_of(vm, "VM"): ref for ref, vm in vms.items() if is_domain(vm)}
        self._refs.update(found)
        return list(found)

    @staticmethod
    def could_be_native_id(key: str) -> bool:
        return _UUID.fullmatch(key) is not None

    # ---- for the other parts -----------------------------------------------------------------------------

    def read_class(self, cls: str, deadline: Deadline) -> dict[str, dict[str, Any]]:
        """Return all records of a class by reference, in one call."""
        method = f"{cls}.get_all_records"
        return records_of(self.call(method, deadline=deadline), method)

    def domain_records(self, deadline: Deadline) -> dict[str, dict[str, Any]]:
        """Return the records of all domains by reference, in one call; their references are remembered for the verbs."""
        vms = {ref: vm for ref, vm in self.vm_records(deadline).items() if is_domain(vm)}
        self._refs = {uuid_of(vm, "VM"): ref for ref, vm in vms.items()}
        return vms

    def vm_records(self, deadline: Deadline) -> dict[str, dict[str, Any]]:
        """Return all VM records by reference, in one call; snapshots are among them."""
        return self.read_class("VM", deadline)

    def domain_record(self, native_id: str, deadline: Deadline) -> dict[str, Any]:
        """Return a domain's record.

        Raises:
            DomainNotFoundError: The UUID is that of a snapshot.
        """
        vm = record_of(self.on_vm(native_id, "VM.get_record", deadline=deadline), "VM.get_record")
        _refuse_snapshot(native_id, vm)
        return vm

    # ---- inside ------------------------------------------------------------------------------------------

    def _with_related(
        self, native_id: str, include: frozenset[str], deadline: Deadline
    ) -> tuple[Record, dict[str, dict[str, Record]]]:
        """Return a domain's record, what it refers to, and what tells which hosts are heard."""
        key = (native_id, include)
        asked = ("host_metrics", *(self._memory.recall(key) or ()))
        vm, found = self._read_with(native_id, asked, deadline)
        _refuse_snapshot(native_id, vm)
        if include:
            self._memory.remember(key, self.complete(vm, include, found, deadline))
        return vm, found

    def _read_with(
        self, native_id: str, asked: Iterable[str], deadline: Deadline
    ) -> tuple[Record, dict[str, dict[str, Record]]]:
        """Return a VM's record and what else is asked for, in one call; a reference that has changed is looked up anew."""
        for known in (True, False):
            ref = self._refs.get(native_id) if known else self.vm_ref(native_id, deadline)
            if ref is None:
                continue
            found = self.read_together((f"vm/{ref}", *asked), deadline)
            vm = found.get("vm", {}).get(ref)
            if vm is not None and vm.get("uuid") == native_id:
                return vm, found
            self.forget_ref(ref)
        raise errors.DomainNotFoundError(f"there is no domain {native_id}: it has just been removed")

    def _infos(
        self, vms: Iterable[Record], include: frozenset[str], hosts: Records, found: dict[str, dict[str, Record]]
    ) -> list[DomainInfo]:
        seen = as_seen(vms, unheard_hosts(hosts, found.get("host_metrics", {})))
        if not include:
            return summaries(seen, node_names(hosts), datetime.now(UTC))
        related = Related({**found, "host": hosts})
        return records(seen, include, node_names(hosts), related, vlans(related), datetime.now(UTC))

    def _all_related(
        self, vms: dict[str, dict[str, Any]], include: frozenset[str], deadline: Deadline
    ) -> dict[str, dict[str, Record]]:
        classes = _CONFIG if "config" in include else _GUEST
        found: dict[str, dict[str, Record]] = {
            cls.lower(): dict[str, Record](self.read_class(cls, deadline)) for cls in classes
        }
        if "config" in include and any(map(has_rare, vms.values())):
            found.update(self.read_together(RARE, deadline))
        return found

    def _hosts_for(self, vm: Record, deadline: Deadline) -> Records:
        """Return the records of the hosts, with at least the one that a VM is on."""
        hosts = self._hosts if self._hosts is not None else self.around.hosts
        here = reference(vm, "resident_on")
        if here is not None and here not in hosts:  # a member that joined the pool after we had come
            hosts = self._hosts = self.read_class("host", deadline)
        return hosts

    def _by_uuid(self, key: str, deadline: Deadline) -> dict[str, None]:
        found: dict[str, None] = {}
        asked = uuid.UUID(key)
        for candidate in dict.fromkeys((str(asked), str(uuid.UUID(bytes_le=asked.bytes)))):
            try:
                found[str(self.call("VM.get_by_uuid", candidate, deadline=deadline))] = None
            except XenAPI.Failure as exc:
                if code_of(exc) != "UUID_INVALID":
                    raise
        return found


def _refuse_snapshot(native_id: str, vm: Record) -> None:
    if not is_domain(vm):
        raise errors.DomainNotFoundError(
            f"{native_id} is a snapshot, not a domain", hint="snapshots() of the domain it was made of lists it"
        )
