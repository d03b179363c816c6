"""A VM's record as the fields of a `DomainInfo`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from sys import intern
from typing import Any

from hvsdk.driver import FIELD_GROUPS, CpuTopology, DomainInfo, FenceMark, domain_info_maker, errors, frozen, read_marks

from hvsdk_xen._details import details
from hvsdk_xen._devices import disks, nics
from hvsdk_xen._fence import fence_text
from hvsdk_xen._fields import Record, Records, Related, Sharing, count, entry, mapping, text
from hvsdk_xen._guest import guest_fields
from hvsdk_xen._labels import AUTO_POWERON, METADATA_PREFIX
from hvsdk_xen._states import power_state
from hvsdk_xen._values import as_bool, as_int, as_time
from hvsdk_xen._virtualization import domain_type, firmware, secure_boot, virtualization

__all__ = ["HYPERVISOR", "is_domain", "node_names", "records", "summaries", "uuid_of"]

HYPERVISOR = "xen"
_FENCED = fence_text("")

_SUMMARY = (*FIELD_GROUPS["summary"], "seen_at")
_CONFIG = FIELD_GROUPS["config"]
_GUEST = FIELD_GROUPS["guest"]
_make_summary = domain_info_maker(*_SUMMARY)
_make_config = domain_info_maker(*_SUMMARY, *_CONFIG)
_make_guest = domain_info_maker(*_SUMMARY, *_GUEST)
_make_full = domain_info_maker(*_SUMMARY, *_CONFIG, *_GUEST)
_MAKERS = {
    frozenset[str](): _make_summary,
    frozenset({"config"}): _make_config,
    frozenset({"guest"}): _make_guest,
    frozenset({"config", "guest"}): _make_full,
}


def is_domain(vm: Record) -> bool:
    """Whether a VM record stands for a domain: XAPI keeps snapshots as VM records too."""
    return vm.get("is_a_snapshot") is not True


def uuid_of(record: Record, what: str) -> str:
    """Return a record's UUID.

    Raises:
        OperationFailedError: It has none, so nothing can be said of it.
    """
    uuid = record.get("uuid")
    if isinstance(uuid, str) and uuid:
        return uuid
    raise errors.OperationFailedError(f"the server told of a {what} without a UUID")


def node_names(hosts: Records) -> dict[str, str]:
    """Return the names of the hosts by reference."""
    return {ref: intern(text(host, "name_label") or text(host, "hostname")) for ref, host in hosts.items()}


def summaries(vms: Iterable[Record], nodes: Mapping[str, str], seen_at: datetime) -> list[DomainInfo]:
    """Return the summary of every record. This is the path of large listings: no call of ours for a usual record."""
    made = []
    for vm in vms:
        get = vm.get
        told, operations, node = get("power_state"), get("current_operations"), get("resident_on")
        vcpus, memory, name = get("VCPUs_at_startup"), get("memory_dynamic_max"), get("name_label")
        uuid = get("uuid")
        if type(uuid) is not str or not uuid:
            uuid = uuid_of(vm, "VM")
        made.append(
            _make_summary(
                uuid,
                uuid if uuid.islower() else uuid.lower(),
                name if type(name) is str else "",
                power_state(told, operations),
                HYPERVISOR,
                nodes.get(node) if type(node) is str else None,
                get("is_a_template") is True,
                get("is_control_domain") is True,
                vcpus if type(vcpus) is int and vcpus >= 0 else count(vm, "VCPUs_at_startup"),
                memory if type(memory) is int and memory >= 0 else count(vm, "memory_dynamic_max"),
                seen_at,
            )
        )
    return made


def records(
    vms: Iterable[Record],
    include: frozenset[str],
    nodes: Mapping[str, str],
    related: Related,
    vlans: Mapping[str, int],
    seen_at: datetime,
) -> list[DomainInfo]:
    """Return the records of these VMs with the field groups that are asked for.

    Args:
        related: What their fields refer to.
        vlans: Numbers of VLANs by the network's reference.
    """
    make, sharing = _MAKERS[include], Sharing()
    made = []
    for vm in vms:
        values: list[Any] = _summary(vm, nodes, seen_at)
        if "config" in include:
            config = _config(vm, related, sharing, vlans)
            values += [config[field] for field in _CONFIG]
        if "guest" in include:
            guest = guest_fields(vm, related)
            values += [guest[field] for field in _GUEST]
        made.append(make(*values))
    return made


def _summary(vm: Record, nodes: Mapping[str, str], seen_at: datetime) -> list[Any]:
    uuid = uuid_of(vm, "VM")
    return [
        uuid,
        uuid.lower(),
        text(vm, "name_label"),
        power_state(vm.get("power_state"), vm.get("current_operations")),
        HYPERVISOR,
        nodes.get(text(vm, "resident_on")),
        vm.get("is_a_template") is True,
        vm.get("is_control_domain") is True,
        count(vm, "VCPUs_at_startup"),
        count(vm, "memory_dynamic_max"),
        seen_at,
    ]


def _config(vm: Record, related: Related, sharing: Sharing, vlans: Mapping[str, int]) -> dict[str, Any]:
    metrics = related.of("vm_metrics", vm, "metrics")
    hvm = domain_type(vm, metrics) == "hvm"
    other = mapping(vm, "other_config")
    metadata = frozen({key[len(METADATA_PREFIX) :]: other[key] for key in other if key.startswith(METADATA_PREFIX)})
    marks = read_marks(metadata)
    max_vcpus = count(vm, "VCPUs_max")
    return {
        "folder": intern(other.get("folder", "")) or None,
        "max_vcpus": max_vcpus,
        "cpu_topology": _topology(vm, max_vcpus, sharing),
        "max_memory_bytes": count(vm, "memory_static_max"),
        "disks": disks(vm, related, sharing, hvm=hvm),
        "nics": nics(vm, related, sharing, vlans),
        "firmware": firmware(vm, hvm=hvm),
        "secure_boot": secure_boot(vm, hvm=hvm),
        "virtualization": virtualization(vm, related),
        "autostart": as_bool(other.get(AUTO_POWERON)),
        "tags": sharing.tags(_tags(vm)),
        "notes": text(vm, "name_description"),
        "metadata": metadata,
        **marks,
        "fenced": marks["fenced"] or _fence_without_mark(vm),
        "created_at": as_time(metrics.get("install_time")),
        "started_at": _started_at(vm, metrics),
        "details": details(vm, related, sharing),
    }


def _topology(vm: Record, vcpus: int | None, sharing: Sharing) -> CpuTopology | None:
    cores = as_int(entry(vm, "platform", "cores-per-socket"))
    if not vcpus or not cores or cores < 1 or vcpus % cores:
        return None
    return sharing.topology(vcpus // cores, cores)


def _tags(vm: Record) -> frozenset[str]:
    tags = vm.get("tags")
    return frozenset(intern(tag) for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()


def _started_at(vm: Record, metrics: Record) -> datetime | None:
    awake = text(vm, "power_state") in ("Running", "Paused")
    return as_time(metrics.get("start_time")) if awake else None


def _fence_without_mark(vm: Record) -> FenceMark | None:
    """Return a fence that still stands where its mark was lost: the product refuses to start the domain all the same."""
    for words in mapping(vm, "blocked_operations").values():
        if words.startswith(_FENCED):
            return FenceMark(reason=words.removeprefix(_FENCED))
    return None
