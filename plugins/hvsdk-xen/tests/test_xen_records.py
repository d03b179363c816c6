"""A VM's record, and what it refers to, as the fields of a domain."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hvsdk.driver import FIELD_GROUPS, Address, CpuTopology, DomainInfo, PowerState, errors
from record_support import FULL, GIB, HOST, NOW, NULL, classes, info_of, vm_record
from xen_support import load_reference

from hvsdk_xen._fields import Related
from hvsdk_xen._records import records, summaries
from hvsdk_xen._related import events_of
from hvsdk_xen._states import as_seen, power_state, unheard_hosts

HOSTILE: list[Any] = [
    None,
    "",
    "x",
    -1,
    1 << 80,
    "9" * 5000,
    1.5,
    math.inf,
    True,
    [],
    [None, 1, []],
    {},
    {"": []},
    {"a": 1},
]


def test_the_summary_has_what_it_boots_with() -> None:
    info = info_of(vm_record(), frozenset())
    assert (info.native_id, info.uuid, info.name) == (info.uuid, "0f6a1c2e-7d3b-4e5f-8a90-b1c2d3e4f506", "web-1")
    assert (info.vcpus, info.memory_bytes, info.node, info.hypervisor) == (2, 2 * GIB, "xcp-1", "xen")
    assert (info.power_state, info.is_template, info.is_control) == (PowerState.RUNNING, False, False)
    assert not info.has("config")
    assert not info.has("guest")


def test_both_ways_to_a_summary_agree() -> None:
    vm = vm_record()
    (fast,) = summaries([vm], {HOST: "xcp-1"}, NOW)
    assert fast == info_of(vm, frozenset())
    texts = vm | {"VCPUs_at_startup": "2", "memory_dynamic_max": str(2 * GIB)}
    assert summaries([texts], {HOST: "xcp-1"}, NOW) == [fast], "XML-RPC writes numbers as texts"


@pytest.mark.parametrize("group", ["config", "guest"])
def test_a_group_is_loaded_whole(group: str) -> None:
    info = info_of(vm_record(), frozenset({group}))
    assert info.has(group)
    assert not info.has("guest" if group == "config" else "config")


def test_the_configuration_is_read() -> None:
    info = info_of(vm_record())
    assert (info.max_vcpus, info.max_memory_bytes) == (4, 4 * GIB)
    assert info.cpu_topology == CpuTopology(sockets=2, cores=2)
    assert (info.folder, info.notes, info.tags) == ("/shop", "front end", {"production"})
    assert info.metadata == {"team.owner": "blue"}
    assert (info.firmware, info.secure_boot, info.autostart, info.fenced) == ("bios", None, False, None)
    assert info.created_at is not None
    assert info.created_at.isoformat() == "2025-01-02T03:04:05+00:00"
    assert info.started_at is not None
    assert info.started_at.year == 2026
    assert info_of(vm_record(power_state="Halted")).started_at is None


def test_drives_are_in_the_order_of_their_places() -> None:
    disk, drive = info_of(vm_record()).disks
    assert (disk.id, disk.device, disk.bus, disk.position) == ("0", "disk", "xen", 0)
    assert (disk.capacity_bytes, disk.allocated_bytes, disk.format) == (8 * GIB, GIB, "vhd")
    assert (disk.pool, disk.volume, disk.source) == ("sr-uuid-0", "vdi-uuid-0", "vdi-uuid-0")
    assert (disk.details["xen.sr_type"], disk.details["xen.cbt"]) == ("ext", True)
    assert (drive.id, drive.device, drive.bus, drive.source, drive.readonly) == ("3", "cdrom", "ide", None, True)
    assert (disk.boot_order, drive.boot_order) == (1, 2)


def test_a_boot_order_names_the_first_of_each_kind() -> None:
    disk, drive = info_of(vm_record(HVM_boot_params={"order": "ndc"})).disks
    assert (disk.boot_order, drive.boot_order) == (3, 2)
    disk, drive = info_of(vm_record(domain_type="pv")).disks
    assert (disk.boot_order, drive.boot_order) == (1, None), "a boot loader takes what is marked as bootable"


def test_drives_without_a_place_of_their_own_have_their_uuid() -> None:
    vbds = classes()["vbd"]
    twin = vbds["OpaqueRef:vbd-0"] | {"uuid": "vbd-uuid-9"}
    odd = vbds["OpaqueRef:vbd-0"] | {"uuid": "vbd-uuid-8", "userdevice": "autodetect"}
    vm = vm_record(VBDs=[*vbds, "OpaqueRef:twin", "OpaqueRef:odd"])
    info = info_of(vm, vbd=vbds | {"OpaqueRef:twin": twin, "OpaqueRef:odd": odd})
    assert [disk.id for disk in info.disks] == ["0", "vbd-uuid-9", "3", "vbd-uuid-8"]


def test_adapters_know_their_network_and_vlan() -> None:
    (nic,) = info_of(vm_record()).nics
    assert (nic.id, nic.mac, nic.network, nic.vlan, nic.mtu) == ("0", "02:ab:00:00:00:01", "VLAN 100", 100, 1500)
    assert nic.link_up is True
    cut = classes()["vif"]["OpaqueRef:vif-0"] | {"locking_mode": "disabled"}
    (nic,) = info_of(vm_record(), vif={"OpaqueRef:vif-0": cut}).nics
    assert nic.link_up is False


def test_the_tools_tell_addresses_and_names() -> None:
    info = info_of(vm_record())
    assert info.addresses == (
        Address(ip="198.19.0.1", source="agent", mac="02:ab:00:00:00:01"),
        Address(ip="fe80::ab:ff:fe00:1", source="agent", mac="02:ab:00:00:00:01"),
    )
    assert (info.guest_hostname, info.guest_os) == ("web-1.example", "Debian GNU/Linux 12 (bookworm)")
    assert info.agent == "running"


@pytest.mark.parametrize(
    ("vm", "metrics", "agent"),
    [
        ({"power_state": "Halted"}, {}, "unknown"),
        ({"power_state": "Suspended"}, {}, "unknown"),
        ({"guest_metrics": NULL}, {}, "absent"),
        ({}, {"live": False}, "stopped"),
    ],
)
def test_addresses_of_before_are_not_shown(vm: dict[str, Any], metrics: dict[str, Any], agent: str) -> None:
    told = classes()["vm_guest_metrics"]["OpaqueRef:guest"] | metrics
    info = info_of(vm_record(**vm), vm_guest_metrics={"OpaqueRef:guest": told})
    assert (info.addresses, info.guest_os, info.guest_hostname, info.agent) == ((), None, None, agent)


def test_the_paths_in_the_name_of_windows_are_left_out() -> None:
    name = r"Microsoft Windows Server 2019 Standard|C:\Windows|\Device\Harddisk0\Partition2"
    told = classes()["vm_guest_metrics"]["OpaqueRef:guest"] | {"os_version": {"name": name}}
    info = info_of(vm_record(), vm_guest_metrics={"OpaqueRef:guest": told})
    assert info.guest_os == "Microsoft Windows Server 2019 Standard"


@pytest.mark.parametrize(
    ("told", "operations", "state"),
    [
        ("Halted", {}, PowerState.SHUTOFF),
        ("Running", {}, PowerState.RUNNING),
        ("Paused", {}, PowerState.PAUSED),
        ("Suspended", {}, PowerState.SUSPENDED),
        ("halted", {}, PowerState.SHUTOFF),
        ("Halted", {"OpaqueRef:t": "start"}, PowerState.CHANGING),
        ("Running", {"OpaqueRef:t": "pool_migrate"}, PowerState.CHANGING),
        ("Running", {"OpaqueRef:t": "suspend"}, PowerState.CHANGING),
        ("Suspended", {"OpaqueRef:t": "resume"}, PowerState.CHANGING),
        ("Running", {"OpaqueRef:t": "clean_shutdown"}, PowerState.RUNNING),
        ("Running", {"OpaqueRef:t": "snapshot"}, PowerState.RUNNING),
        ("Meditating", {}, PowerState.UNKNOWN),
        (None, {}, PowerState.UNKNOWN),
        (["Running"], {}, PowerState.UNKNOWN),
        ("Running", {"OpaqueRef:t": ["suspend"]}, PowerState.RUNNING),
        ("Running", "suspend", PowerState.RUNNING),
    ],
)
def test_states_in_our_words(told: Any, operations: Any, state: PowerState) -> None:
    assert power_state(told, operations) is state


@pytest.mark.parametrize("live", [True, None, "false", 0])
def test_only_a_host_that_is_said_to_be_silent_is_not_heard(live: Any) -> None:
    hosts = {HOST: {"metrics": "OpaqueRef:m"}, "OpaqueRef:odd": {"metrics": []}, "OpaqueRef:none": {}}
    assert unheard_hosts(hosts, {"OpaqueRef:m": {"live": live}}) == frozenset()
    assert unheard_hosts(hosts, {}) == frozenset()
    assert unheard_hosts(hosts, {"OpaqueRef:m": {"live": False}}) == {HOST}


@pytest.mark.parametrize("place", ["OpaqueRef:NULL", "OpaqueRef:other", None, [], {}, 7])
def test_a_domain_elsewhere_keeps_its_state_when_a_host_is_silent(place: Any) -> None:
    elsewhere = vm_record(resident_on=place)
    here = vm_record(current_operations={"OpaqueRef:t": "pool_migrate"})
    seen = list(as_seen((elsewhere, here), {HOST}))
    assert seen[0] is elsewhere
    assert [info.power_state for info in summaries(seen, {}, NOW)] == [PowerState.RUNNING, PowerState.UNKNOWN]
    assert here["power_state"] == "Running", "the record itself is left as it was"


def test_autostart_and_marks_are_kept_in_other_config() -> None:
    config = {"auto_poweron": "true", "hvsdk:hvsdk.moved_from": json.dumps({"uuid": "u", "hypervisor": "vmware"})}
    info = info_of(vm_record(other_config=config))
    assert info.autostart is True
    assert info.moved_from is not None
    assert info.moved_from.hypervisor == "vmware"


def test_a_fence_without_its_mark_still_counts() -> None:
    info = info_of(vm_record(blocked_operations={"start": "HVSDK_FENCED: moved to kvm", "copy": "mine"}))
    assert info.fenced is not None
    assert info.fenced.reason == "moved to kvm"
    assert info_of(vm_record(blocked_operations={"start": "mine"})).fenced is None


def test_a_record_without_a_uuid_is_refused_in_words() -> None:
    for uuid in (None, "", 7, []):
        with pytest.raises(errors.OperationFailedError, match="UUID"):
            info_of(vm_record(uuid=uuid))
        with pytest.raises(errors.OperationFailedError, match="UUID"):
            summaries([vm_record(uuid=uuid)], {}, NOW)


def test_domains_that_differ_in_little_share_the_rest() -> None:
    found = classes()
    related = Related(found)
    vms = [vm_record(uuid=f"uuid-{number}") for number in range(2)]
    one, other = records(vms, FULL, {}, related, {}, NOW)
    assert one.details is other.details
    assert one.disks[0].details is other.disks[0].details
    assert one.tags is other.tags
    (odd,) = records([vm_record(platform={"acpi": "0"}, blocked_operations={"start": ""})], FULL, {}, related, {}, NOW)
    assert odd.details["xen.platform"] == {"acpi": "0"}
    assert odd.details["xen.blocked"] == {"start": ""}


def test_no_field_of_a_vm_is_needed() -> None:
    whole = vm_record()
    for field in whole.keys() - {"uuid"}:
        left = {key: value for key, value in whole.items() if key != field}
        check(info_of(left))
    check(info_of({"uuid": "u"}))


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: repr(value)[:20])
def test_no_value_of_a_field_breaks_a_listing(hostile: Any) -> None:
    for field in vm_record().keys() - {"uuid"}:
        check(info_of(vm_record(**{field: hostile})))
        summaries([vm_record(**{field: hostile})], {HOST: "xcp-1"}, NOW)
    for cls, objects in classes().items():
        for ref, record in objects.items():
            for field in record:
                broken = {ref: record | {field: hostile}}
                check(info_of(vm_record(), **{cls: objects | broken}))


def test_what_went_between_two_calls_is_left_out() -> None:
    for cls in classes():
        check(info_of(vm_record(), **{cls: {}}))
    assert info_of(vm_record(), vbd={}).disks == ()


def test_every_record_of_every_version_is_read(reference: Any) -> None:
    model = {cls["name"]: cls for cls in reference}
    released: dict[str, set[str]] = {}
    for field in model["VM"]["fields"]:
        for step in field["lifecycle"]["transitions"]:
            released.setdefault(step["release"], set()).add(field["name"])
    whole = {field["name"]: example(field["type"]) for field in model["VM"]["fields"]} | vm_record()
    check(info_of(whole))
    for names in released.values():
        check(info_of({name: value for name, value in whole.items() if name not in names} | {"uuid": "u"}))


def test_samples_of_the_real_product_are_read() -> None:
    samples = load_reference("xenapi-jsonrpc-samples.json.gz")["samples"]
    answers = [
        answers["VM.get_all_records"]["result"]
        for sample in samples.values()
        if "VM.get_all_records" in (answers := sample["expected_result"])
    ]
    seen = [vm for answer in answers for vm in answer.values() if "uuid" in vm]
    assert seen
    for vm, info in zip(seen, summaries(seen, {}, NOW), strict=True):
        assert info.name == vm["name_label"]
        assert (info.power_state == PowerState.UNKNOWN) == ("power_state" not in vm)
    for vm in seen:
        check(info_of(vm))
    events = samples["xapi-24/event_from_11"]["expected_result"]["event.from"]["result"]
    assert events_of(events)


def example(kind: str) -> Any:
    """Return a value of a type of XAPI's."""
    for ending, value in ((" set", []), (" map", {}), (" ref", NULL)):
        if kind.endswith(ending):
            return value
    return {"int": 0, "float": 0.0, "bool": False}.get(kind, "")


def check(info: DomainInfo) -> None:
    """Assert that a record is whole and can be handed on."""
    assert all(info.has(group) for group in FULL)
    json.dumps(info.to_dict())
    hash(info)
    assert {name for group in FIELD_GROUPS.values() for name in group} <= info.loaded
