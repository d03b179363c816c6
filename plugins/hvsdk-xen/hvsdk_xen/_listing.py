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
from hvsdk_xen._fields import Record, Related, record_of, records_of, reference
from hvsdk_xen._login import code_of
from hvsdk_xen._records import is_domain, node_names, records, summaries, uuid_of
from hvsdk_xen._related import Memory, RelatedReads
from hvsdk_xen._values import is_ref

__all__ = ["ListingReads"]

_CONFIG = ("VBD", "VDI", "SR", "VIF", "network", "PIF", "VM_metrics", "VM_guest_metrics")
_GUEST = ("VIF", "VM_guest_metrics")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ListingReads(RelatedReads):
    """`list_domains`, `get_domain` and `find_domains`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._nodes: dict[str, str] | None = None
        self._memory = Memory()

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all domains: two calls for the summary, at most eleven with all that there is, whatever their number."""
        hosts = self.read_class("host", deadline)
        self._nodes = nodes = node_names(hosts)
        vms = self.domain_records(deadline)
        if not include:
            return summaries(vms.values(), nodes, datetime.now(UTC))
        related = self._all_related(vms, include, deadline)
        related["host"] = dict[str, Record](hosts)
        there = Related(related)
        return records(vms.values(), include, nodes, there, vlans(there), datetime.now(UTC))

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one domain: one call for the summary, and at most four with all that there is, whatever it has.

        What it referred to the last time is asked for together with it: as long as that has not changed, it is one call
        again. A node that was renamed since the last listing may have its former name.
        """
        if not include:
            vm = self.domain_record(native_id, deadline)
            return summaries((vm,), self._nodes_for(vm, deadline), datetime.now(UTC))[0]
        whole, found = self._with_related(native_id, include, deadline)
        nodes = self._nodes_for(whole, deadline)
        found["host"] = {ref: {"name_label": name} for ref, name in nodes.items()}
        related = Related(found)
        (info,) = records((whole,), include, nodes, related, vlans(related), datetime.now(UTC))
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
        if not is_domain(vm):
            raise errors.DomainNotFoundError(
                f"{native_id} is a snapshot, not a domain", hint="snapshots() of the domain it was made of lists it"
            )
        return vm

    # ---- inside ------------------------------------------------------------------------------------------

    def _with_related(
        self, native_id: str, include: frozenset[str], deadline: Deadline
    ) -> tuple[Record, dict[str, dict[str, Record]]]:
        """Return a domain's record, and what it refers to."""
        key = (native_id, include)
        asked, ref = self._memory.recall(key), self._refs.get(native_id)
        found: dict[str, dict[str, Record]] = {}
        vm: Record | None = None
        if asked is not None and ref is not None:
            found = self.read_together((f"vm/{ref}", *asked), deadline)
            vm = found.get("vm", {}).get(ref)
        if vm is None or vm.get("uuid") != native_id or not is_domain(vm):
            vm = self.domain_record(native_id, deadline)
        self._memory.remember(key, self.complete(vm, include, found, deadline))
        return vm, found

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

    def _nodes_for(self, vm: Record, deadline: Deadline) -> dict[str, str]:
        """Return the names of the nodes, with at least the one that a VM is on."""
        if self._nodes is None:
            self._nodes = node_names(self.around.hosts)
        here = reference(vm, "resident_on")
        if here is not None and here not in self._nodes:  # a member that joined the pool after we had come
            self._nodes = node_names(self.read_class("host", deadline))
        return self._nodes

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
