"""Making domains from nothing: as asked, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hvsdk.driver import CloudInit, CpuTopology, DiskSpec, DomainSpec, NicSpec, PowerState, errors
from xen_making import GOLDEN, MIB, calls, drives_of, everything, nothing_new, record_of
from xen_support import connect

from hvsdk_xen._hints import DISK_HINTS, DOMAIN_HINTS, NIC_HINTS, VOLUME_HINTS

DISK = DiskSpec(size="16MiB")


def test_a_domain_is_made_from_nothing(create, raw):
    domain = create(vcpus=2, disks=[DISK, DiskSpec(size="32MiB")], nics=[NicSpec(mac="52:54:00:aa:bb:01"), NicSpec()])
    assert domain.power_state is PowerState.SHUTOFF
    assert (domain.vcpus, domain.memory_bytes, domain.info.firmware) == (2, 128 * MIB, "bios")
    assert [disk.capacity_bytes for disk in domain.info.disks] == [16 * MIB, 32 * MIB]
    assert domain.info.nics[0].mac == "52:54:00:aa:bb:01"
    assert len({nic.mac for nic in domain.info.nics}) == 2
    vm = record_of(raw, domain)
    assert vm["HVM_boot_policy"] == "BIOS order"
    assert not vm["is_a_template"]


def test_a_new_domain_boots(create, raw):
    domain = create(disks=[DISK], nics=[NicSpec()])
    domain.start()
    assert domain.power_state is PowerState.RUNNING


def test_labels_are_there_from_the_beginning(create):
    domain = create(notes="a\n<note> & 'more'", tags=["one", "zwei 2"], metadata={"team.owner": "me"}, autostart=True)
    info = domain.refresh().info
    assert (info.notes, info.tags) == ("a\n<note> & 'more'", frozenset({"one", "zwei 2"}))
    assert info.metadata["team.owner"] == "me"
    assert info.autostart is True


@pytest.mark.parametrize("name", ["a b", "x'\"$(id)`", "<&>", "línea\nzwei", "n" * 200])
def test_any_name_is_taken(create, name):
    assert create(name=name, disks=[DISK]).refresh().name == name


def test_memory_can_grow_to_a_maximum(create, raw):
    vm = record_of(raw, create(memory="128MiB", max_memory="512MiB", vcpus=1, max_vcpus=4))
    assert int(vm["memory_dynamic_max"]) == 128 * MIB
    assert int(vm["memory_static_max"]) == 512 * MIB
    assert (int(vm["VCPUs_at_startup"]), int(vm["VCPUs_max"])) == (1, 4)


def test_firmware_topology_and_clock_are_as_asked(create, raw):
    topology = CpuTopology(sockets=2, cores=2)
    domain = create(firmware="uefi", secure_boot=True, vcpus=4, cpu_topology=topology, clock=3600, guest_os="windows")
    vm = record_of(raw, domain)
    assert vm["HVM_boot_params"]["firmware"] == "uefi"
    platform = vm["platform"]
    assert (platform["secureboot"], platform["cores-per-socket"], platform["timeoffset"]) == ("true", "2", "3600")
    assert platform["viridian"] == "true"
    assert (domain.info.firmware, domain.info.secure_boot, domain.info.cpu_topology) == ("uefi", True, topology)


def test_smbios_is_as_asked(create, raw):
    vm = record_of(raw, create(smbios={"manufacturer": "Acme", "serial": "S-1"}))
    assert vm["bios_strings"]["system-manufacturer"] == "Acme"
    assert vm["bios_strings"]["system-serial-number"] == "S-1"


def test_hints_are_obeyed(create, raw):
    hints = {"xen.cpu_weight": 512, "xen.nested": True, "xen.memory_dynamic_min": 64 * MIB, "kvm.cpu_mode": "other"}
    vm = record_of(raw, create(hints=hints))
    assert vm["VCPUs_params"]["weight"] == "512"
    assert vm["platform"]["exp-nested-hvm"] == "true"
    assert int(vm["memory_dynamic_min"]) == 64 * MIB


def test_an_image_is_in_the_drive_after_the_disks(create):
    domain = create(disks=[DISK], media="debian-12.iso")
    disk, drive = domain.info.disks
    assert (disk.device, drive.device) == ("disk", "cdrom")
    assert drive.source
    assert (disk.boot_order, drive.boot_order) == (1, 2)


def test_a_drive_is_booted_from_first_when_asked(create):
    disks = [DiskSpec(size="16MiB", boot_order=2), DiskSpec(device="cdrom", source="debian-12.iso", boot_order=1)]
    found = {disk.device: disk.boot_order for disk in create(disks=disks).info.disks}
    assert found == {"cdrom": 1, "disk": 2}


def test_many_disks_keep_their_order_around_the_drive(create):
    sizes = [16, 18, 20, 22, 24]
    domain = create(disks=[DiskSpec(size=f"{size}MiB") for size in sizes], media="debian-12.iso")
    assert [disk.capacity_bytes for disk in domain.info.disks if disk.device == "disk"] == [n * MIB for n in sizes]
    assert [disk.id for disk in domain.info.disks if disk.device == "cdrom"] == ["3"]


def test_a_volume_that_is_there_is_attached_as_it_is(create, host):
    pool = next(p for p in host.storage_pools() if p.info.details.get("xen.is_default"))
    volume = pool.create_volume(name="xen-create-present", size="16MiB")
    domain = create(disks=[DiskSpec(source=volume.name, pool=pool.name)])
    assert domain.info.disks[0].volume == volume.id


def test_a_volume_is_copied_and_grown(create, host):
    pool = next(p for p in host.storage_pools() if p.info.details.get("xen.is_default"))
    volume = pool.create_volume(name="xen-create-source", size="16MiB")
    try:
        disk = create(disks=[DiskSpec(source=volume.id, copy=True, size="64MiB")]).info.disks[0]
        assert disk.volume != volume.id
        assert disk.capacity_bytes == 64 * MIB
    finally:
        volume.delete()


def test_a_copy_in_the_manner_of_old_versions_is_the_same(make_pool):
    with make_pool(api="2.0") as old, connect(old, rpc="xml") as host:
        storage = next(p for p in host.storage_pools() if p.info.details.get("xen.is_default"))
        volume = storage.create_volume(name="xen-create-source", size="16MiB")
        disks = [DiskSpec(source=volume.id, copy=True, size="64MiB")]
        domain = host.create_domain(DomainSpec(name="xen-create", memory="128MiB", disks=disks))
        assert domain.info.disks[0].capacity_bytes == 64 * MIB
        assert len(storage.volumes()) >= 2


def test_a_copy_that_fails_leaves_nothing(host, pool, raw):
    storage = next(p for p in host.storage_pools() if p.info.details.get("xen.is_default"))
    volume = storage.create_volume(name="xen-create-source", size="16MiB")
    spec = DomainSpec(name="xen-undone", memory="128MiB", disks=[DiskSpec(source=volume.id, copy=True)])
    with nothing_new(raw):
        pool.fault("Async.VDI.copy:error=VDI_COPY_FAILED:1")
        with pytest.raises(errors.OperationFailedError):
            host.create_domain(spec)
    volume.delete()


def test_cloud_init_is_a_disk_that_goes_with_the_domain(create, raw):
    before = everything(raw)
    domain = create(disks=[DISK], cloud_init=CloudInit(user_data="#cloud-config\npassword: hidden-7\n"))
    seed = drives_of(raw, domain)["1"]
    assert "hvsdk-seed" in seed["other_config"]
    assert "hidden-7" not in str(domain.info.to_dict())
    kept = domain.info.disks[0].volume
    domain.delete(disks="keep")
    assert everything(raw)["VDI"] == before["VDI"] | {kept}
    raw("VDI.destroy", raw("VDI.get_by_uuid", kept))


@pytest.mark.parametrize(
    ("error", "wish"),
    [
        (errors.InvalidSpecError, {"disks": [DISK, DiskSpec(size="8MiB", bus="virtio")]}),
        (errors.InvalidSpecError, {"disks": [DISK, DiskSpec(size="8MiB", format="no-such")]}),
        (errors.InvalidSpecError, {"disks": [DiskSpec(size="8MiB", serial="x")]}),
        (errors.InvalidSpecError, {"disks": [DiskSpec(size="8MiB", readonly=True)]}),
        (errors.InvalidSpecError, {"disks": [DISK, DiskSpec(size="8MiB", boot_order=1)]}),
        (errors.InvalidSpecError, {"disks": [DiskSpec(device="cdrom")] * 5}),
        (errors.InvalidSpecError, {"disks": [DiskSpec(size="8MiB", pool="ISO library")]}),
        (errors.InvalidSpecError, {"nics": [NicSpec(model="e1000")]}),
        (errors.InvalidSpecError, {"nics": [NicSpec(vlan=4000)]}),
        (errors.InvalidSpecError, {"nics": [NicSpec()] * 8}),
        (errors.InvalidSpecError, {"machine": "q35"}),
        (errors.InvalidSpecError, {"clock": "localtime"}),
        (errors.InvalidSpecError, {"smbios": {"family": "x"}}),
        (errors.InvalidSpecError, {"hints": {"xen.no_such": 1}}),
        (errors.InvalidSpecError, {"hints": {"xen.cpu_weight": "many"}}),
        (errors.InvalidSpecError, {"vcpus": 4, "cpu_topology": CpuTopology(sockets=1, cores=2, threads=2)}),
        (errors.StoragePoolNotFoundError, {"disks": [DISK, DiskSpec(size="8MiB", pool="no-such")]}),
        (errors.VolumeNotFoundError, {"disks": [DISK, DiskSpec(source="/no-such")]}),
        (errors.VolumeNotFoundError, {"media": "no-such.iso"}),
        (errors.NetworkNotFoundError, {"nics": [NicSpec(network="no-such")]}),
        (errors.NodeNotFoundError, {"hints": {"xen.affinity": "no-such"}}),
        (errors.DomainNotFoundError, {"template": "no-such"}),
        (errors.AmbiguousNameError, {"disks": [DiskSpec(size="8MiB", pool="Local storage")]}),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_before_anything_is_made(refused, error, wish):
    refused(error, **wish)


def test_a_name_of_several_storage_pools_comes_with_their_uuids(refused, host):
    error = refused(errors.AmbiguousNameError, disks=[DiskSpec(size="8MiB", pool="Local storage")])
    uuids = {pool.id for pool in host.storage_pools() if pool.name == "Local storage"}
    assert {one[0] for one in error.candidates} == uuids
    assert all(uuid in error.message for uuid in uuids)


@pytest.mark.parametrize("method", ["VM.create", "VDI.create", "VBD.create", "VIF.create", "VM.get_uuid"])
def test_what_fails_half_way_leaves_nothing(host, pool, raw, method):
    spec = DomainSpec(name="xen-undone", memory="128MiB", disks=[DISK, DISK], nics=[NicSpec()])
    with nothing_new(raw):
        pool.fault(f"{method}:error=INTERNAL_ERROR,broken:1")
        with pytest.raises(errors.OperationFailedError, match="INTERNAL_ERROR"):
            host.create_domain(spec)


@pytest.mark.parametrize("method", ["VM.create", "VDI.create", "VBD.create", "VIF.create"])
def test_a_lost_answer_is_found_again_and_nothing_is_made_twice(pool, raw, method):
    spec = DomainSpec(name=f"xen-lost-{method}", memory="128MiB", disks=[DISK], nics=[NicSpec()])
    before = everything(raw)
    pool.reset_counts()
    pool.fault(f"{method}:drop-after:1")
    with connect(pool) as host:
        domain = host.create_domain(spec)
        assert pool.counts()[method] == 1
        assert (len(domain.info.disks), len(domain.info.nics)) == (1, 1)
        domain.delete(disks="delete")
    assert everything(raw) == before


@pytest.mark.parametrize("method", ["VM.create", "VDI.create", "VBD.create", "VIF.create"])
def test_a_request_that_was_never_carried_out_leaves_nothing(pool, raw, method):
    spec = DomainSpec(name=f"xen-dropped-{method}", memory="128MiB", disks=[DISK], nics=[NicSpec()])
    with nothing_new(raw), connect(pool) as host:
        pool.fault(f"{method}:drop-before:1")
        with pytest.raises((errors.OperationFailedError, errors.OutcomeUnknownError)):
            host.create_domain(spec)


def test_making_a_domain_costs_one_call_for_each_thing(create, pool):
    counts = calls(pool, lambda: create(disks=[DISK, DISK], nics=[NicSpec()]))
    assert {name: counts.get(name) for name in ("VM.create", "VDI.create", "VBD.create", "VIF.create")} == {
        "VM.create": 1,
        "VDI.create": 2,
        "VBD.create": 2,
        "VIF.create": 1,
    }
    assert not [name for name in counts if name.startswith("VM.set_")]


def test_what_a_domain_is_made_of_is_looked_up_once(create, pool):
    def lookups(count):
        counts = calls(pool, lambda: create(disks=[DISK] * count, nics=[NicSpec()] * count))
        made = ("VDI.create", "VBD.create", "VIF.create")
        return sum(n for name, n in counts.items() if name not in made)

    assert lookups(1) == lookups(4)


def test_volumes_that_were_there_stay_when_the_rest_is_taken_back(host, pool, raw):
    storage = next(p for p in host.storage_pools() if p.info.details.get("xen.is_default"))
    volume = storage.create_volume(name="xen-create-stays", size="16MiB")
    spec = DomainSpec(name="xen-undone", memory="128MiB", disks=[DiskSpec(source=volume.id, shareable=True), DISK])
    with nothing_new(raw):
        pool.fault("VM.get_uuid:error=INTERNAL_ERROR,broken:1")
        with pytest.raises(errors.OperationFailedError):
            host.create_domain(spec)
    assert raw("VDI.get_sharable", raw("VDI.get_by_uuid", volume.id)) is False
    volume.delete()


def test_a_volume_is_copied_into_another_pool(create, host):
    storage = {pool.type: pool for pool in host.storage_pools()}
    volume = storage["nfs"].create_volume(name="xen-create-source", size="16MiB")
    try:
        disk = create(disks=[DiskSpec(source=volume.id, copy=True, pool=storage["lvmoiscsi"].name)]).info.disks[0]
        assert disk.pool == storage["lvmoiscsi"].id
    finally:
        volume.delete()


def test_the_role_vm_admin_suffices_for_making_and_changing(pool, raw):
    with nothing_new(raw), connect(pool, username="vm-admin@example.com") as host:
        domain = host.create_domain(
            DomainSpec(
                name="xen-create",
                memory="1GiB",
                vcpus=2,
                template=GOLDEN,
                disks=[DISK],
                nics=[NicSpec()],
                cloud_init=CloudInit(user_data="#cloud-config\n"),
            )
        )
        domain.reconfigure(vcpus=1)
        disk = domain.attach_disk(DISK)
        domain.resize_disk(disk, "32MiB")
        domain.detach_disk(disk)
        host.storage_pool(disk.pool).volume(disk.volume).delete()
        domain.detach_nic(domain.attach_nic(NicSpec()))
        domain.insert_media("debian-12.iso")
        domain.eject_media()
        assert "VIF.set_locking_mode" in str(host.why_not("set_nic_link"))
        domain.delete(disks="delete")


@pytest.mark.parametrize(
    "hints", [DOMAIN_HINTS, DISK_HINTS, NIC_HINTS, VOLUME_HINTS], ids=lambda hints: str(len(hints))
)
def test_every_hint_is_described(hints):
    page = Path(__file__).resolve().parents[3] / "docs" / "backends" / "xen.md"
    text = page.read_text(encoding="utf-8")
    for key, hint in hints.items():
        assert f"| `{key}` | {hint.help} |" in text


def test_a_domain_has_room_for_seven_adapters(create):
    assert len(create(nics=[NicSpec()] * 7).info.nics) == 7
