"""Graphics cards, USB devices and trusted platform modules; subjects and their roles; messages; clusters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hvsdk_simulators.xapi.database import Object
from storage_pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=30) as made:
        yield made


def first(pool: Pool, cls: str) -> Object:
    return pool.world.db.all(cls)[0]


def test_a_vm_gets_a_virtual_card_and_loses_it(pool: Pool) -> None:
    vm = pool.vm("Halted", VGPUs=[])
    group, kind = first(pool, "GPU_group"), pool.world.db.all("VGPU_type")[1]

    made = pool.call("VGPU.create", vm, group, "0", {}, kind)

    assert vm["VGPUs"] == [made.ref]
    assert pool.refused("VGPU.create", vm, group, "0", {}, kind) == ["DEVICE_ALREADY_EXISTS", "0"]
    pool.call("VGPU.destroy", made)
    assert vm["VGPUs"] == []


def test_a_running_vm_gets_no_card(pool: Pool) -> None:
    vm = pool.vm("Running")

    refusal = ["VM_BAD_POWER_STATE", vm.ref, "halted", "running"]
    assert pool.refused("VGPU.create", vm, first(pool, "GPU_group"), "0", {}, None) == refusal


def test_a_card_is_as_many_as_it_can_be(pool: Pool) -> None:
    card, whole = first(pool, "PGPU"), first(pool, "VGPU_type")
    part = pool.world.db.all("VGPU_type")[1]
    assert pool.call("PGPU.get_remaining_capacity", card, part) == 8

    pool.call("PGPU.remove_enabled_VGPU_types", card, part)

    assert pool.call("PGPU.get_remaining_capacity", card, part) == 0
    assert pool.call("PGPU.get_remaining_capacity", card, whole) == 1
    assert pool.call("GPU_group.get_remaining_capacity", first(pool, "GPU_group"), part) == 8


def test_a_group_with_cards_stays(pool: Pool) -> None:
    group = first(pool, "GPU_group")

    assert pool.refused("GPU_group.destroy", group) == ["GPU_GROUP_CONTAINS_PGPU", *group["PGPUs"]]


def test_a_usb_device_has_one_vm(pool: Pool) -> None:
    group = first(pool, "USB_group")
    for ref in list(group["VUSBs"]):
        pool.call("VUSB.destroy", pool.world.db.get("VUSB", ref))
    made = pool.call("VUSB.create", pool.vm("Halted"), group, {})

    assert pool.refused("VUSB.create", pool.vm("Running"), group, {}) == ["USB_GROUP_CONFLICT", group.ref]
    device = first(pool, "PUSB")
    assert pool.refused("PUSB.set_passthrough_enabled", device, False)[0] == "USB_ALREADY_ATTACHED"
    pool.call("VUSB.destroy", made)
    pool.call("PUSB.set_passthrough_enabled", device, False)


def test_a_vm_with_uefi_gets_one_tpm(pool: Pool) -> None:
    vm = next(
        vm
        for vm in pool.world.db.all("VM")
        if vm["power_state"] == "Halted"
        and vm["HVM_boot_params"].get("firmware") == "uefi"
        and not (vm["VTPMs"] or vm["is_a_template"] or vm["is_a_snapshot"])
    )
    made = pool.call("VTPM.create", vm, True)

    assert pool.allowed(made) == ["destroy"]
    assert pool.refused("VTPM.create", vm, True) == ["VTPM_MAX_AMOUNT_REACHED", "1"]
    pool.call("VTPM.destroy", made)
    assert vm["VTPMs"] == []


def test_a_subject_has_the_roles_it_is_given(pool: Pool) -> None:
    roles = {role["name_label"]: role for role in pool.world.db.all("role")}
    subject = pool.call("subject.create", {"subject_identifier": "S-1-5-21-9", "other_config": {"subject-name": "x"}})
    assert subject["roles"] == [roles["pool-admin"].ref]

    pool.call("subject.remove_from_roles", subject, roles["pool-admin"])
    pool.call("subject.add_to_roles", subject, roles["read-only"])

    assert pool.refused("subject.add_to_roles", subject, roles["read-only"]) == ["ROLE_ALREADY_EXISTS"]
    assert pool.refused("subject.remove_from_roles", subject, roles["vm-admin"]) == ["ROLE_NOT_FOUND"]
    assert pool.refused("subject.create", {"subject_identifier": "S-1-5-21-9"}) == ["SUBJECT_ALREADY_EXISTS"]
    permitted = pool.call("subject.get_permissions_name_label", subject)
    assert "host.get_servertime" in permitted
    assert "vif.create" not in permitted


def test_higher_roles_may_do_what_lower_ones_may(pool: Pool) -> None:
    found = pool.call("role.get_by_permission_name_label", "vif.create")

    names = {role["name_label"] for role in found}
    assert names == {"vm-admin", "vm-power-admin", "pool-operator", "pool-admin"}


def test_messages_are_made_read_and_dismissed(pool: Pool) -> None:
    vm = pool.vm("Running")
    before = pool.world.now() - timedelta(seconds=5)

    made = pool.call("message.create", "NOTE", 4, "VM", vm["uuid"], "look")

    assert list(pool.call("message.get_since", before)) == [made]
    assert list(pool.call("message.get", "VM", vm["uuid"], before)) == [made]
    assert pool.call("message.get_all")[0] is made
    pool.call("message.destroy", made)
    assert made not in pool.call("message.get_all")
    assert pool.refused("message.create", "NOTE", 4, "VM", "none", "look") == ["UUID_INVALID", "VM", "none"]


def test_a_cluster_is_of_all_hosts(pool: Pool) -> None:
    networks = {one["name_label"]: one for one in pool.world.db.all("network")}
    management = networks["Pool-wide network associated with eth0"]

    cluster = pool.call("Cluster.pool_create", management, "corosync", 20.0, 1.0)

    assert len(cluster["cluster_hosts"]) == len(pool.world.members)
    assert pool.call("Cluster.get_network", cluster) == management.ref
    assert pool.refused("Cluster.pool_create", management, "corosync", 20.0, 1.0) == ["CLUSTER_ALREADY_EXISTS"]
    pool.call("Cluster.pool_destroy", cluster)
    assert pool.world.db.all("Cluster_host") == []


def test_hosts_join_and_leave_a_cluster(pool: Pool) -> None:
    def interface(number: int) -> Object:
        ref = pool.world.members[number].host.ref
        return next(one for one in pool.world.db.all("PIF") if one["host"] == ref and one["management"])

    assert pool.refused("Cluster.create", interface(0), "corosync", False) == ["PIF_ALLOWS_UNPLUG", interface(0).ref]
    for number in (0, 1):
        pool.call("PIF.set_disallow_unplug", interface(number), True)

    cluster = pool.call("Cluster.create", interface(0), "corosync", False)
    joined = pool.call("Cluster_host.create", cluster, pool.world.members[1].host, interface(1))

    assert pool.refused("Cluster.destroy", cluster) == ["CLUSTER_DOES_NOT_HAVE_ONE_NODE", "2"]
    pool.call("Cluster_host.destroy", joined)
    last = pool.world.db.get("Cluster_host", cluster["cluster_hosts"][0])
    assert pool.refused("Cluster_host.destroy", last) == ["CLUSTER_HOST_IS_LAST", last.ref]
    pool.call("Cluster.destroy", cluster)


def test_hosts_watch_each_other_by_files_on_shared_storage(pool: Pool) -> None:
    shared, local = pool.sr("nfs"), pool.sr("ext")
    assert pool.refused("pool.enable_ha", [local], {}) == ["HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", local.ref]

    pool.call("pool.enable_ha", [shared], {})

    record = pool.world.pool
    files = [pool.world.db.get("VDI", ref) for ref in record["ha_statefiles"]]
    assert [(vdi["type"], vdi["SR"]) for vdi in files] == [("ha_statefile", shared.ref)]
    assert (record["ha_enabled"], record["ha_plan_exists_for"]) == (True, 1)
    assert pool.refused("pool.set_ha_host_failures_to_tolerate", record, 2) == ["HA_NO_PLAN"]
    pool.call("pool.disable_ha")
    assert not record["ha_enabled"]
    assert files[0] not in pool.world.db.all("VDI")


def test_a_blob_belongs_to_what_it_was_made_for(pool: Pool) -> None:
    host = pool.world.master
    made = pool.call("host.create_new_blob", host, "notes", "")

    assert host["blobs"] == {"notes": made.ref}
    assert made["mime_type"] == "application/octet-stream"
    refusal = ["MAP_DUPLICATE_KEY", "host", "blobs", host["uuid"], "notes"]
    assert pool.refused("host.create_new_blob", host, "notes", "") == refusal
