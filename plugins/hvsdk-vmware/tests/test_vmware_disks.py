"""Disks of domains that are there: attached, detached, grown, and copied for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hvsdk import Disk, DiskSpec, Domain, Host, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_disks import called
from vmware_files import files_below, write_file
from vmware_support import Raw, domain_calls, finished, soon

from hvsdk_vmware._controllers import Slots, drive_order
from hvsdk_vmware._driver import VmwareDriver

MIB = 1 << 20
device = vim.vm.device
HOSTILE = ["a b", "x'\"$(id)`", "<&>]]>", "50%"]


def _device(raw: Raw, domain: Domain, key: str) -> Any:
    return next(one for one in raw.vm(domain.native_id).config.hardware.device if str(one.key) == key)


def _folder(domain: Domain) -> str:
    return str(_disk(domain).source).rpartition("/")[0]


def _disk_on(unit: int, controller: int = 1000) -> Any:
    return device.VirtualDisk(key=2000 + unit, controllerKey=controller, unitNumber=unit)


def _disk(domain: Domain) -> Disk:
    """Return the first disk."""
    return next(disk for disk in domain.disks if disk.device == "disk")


# ---- places ----------------------------------------------------------------------------------------------


def test_the_unit_of_the_controller_is_left_out() -> None:
    card = device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing", scsiCtlrUnitNumber=7)
    slots = Slots([card, *(_disk_on(unit) for unit in range(7))])
    assert slots.place(None) == (1000, 8)
    assert slots.changes == []


def test_a_controller_is_added_when_all_are_full_and_is_of_the_same_kind() -> None:
    card = device.VirtualLsiLogicSASController(key=1000, busNumber=0, sharedBus="noSharing", scsiCtlrUnitNumber=7)
    slots = Slots([card, *(_disk_on(unit) for unit in range(16) if unit != 7)])
    key, unit = slots.place(None)
    (added,) = [change.device for change in slots.changes]
    assert (added.key, added.busNumber, unit) == (key, 1, 0)
    assert type(added) is device.VirtualLsiLogicSASController
    assert slots.place("scsi") == (key, 1), "the new one has room for more"


@pytest.mark.parametrize(("bus", "room"), [("scsi", 60), ("sata", 120), ("nvme", 60), ("ide", 4)])
def test_each_bus_has_as_many_places_as_vsphere_gives(bus: str, room: int) -> None:
    slots = Slots()
    places = {slots.place(bus) for _ in range(room)}
    assert len(places) == room
    with pytest.raises(errors.InvalidSpecError, match="no place left"):
        slots.place(bus)


def test_a_model_that_is_asked_for_gets_a_controller_of_its_own() -> None:
    slots = Slots()
    first = slots.place(None)
    other = slots.place(None, model="lsilogic")
    assert first[0] != other[0]
    assert [type(change.device) for change in slots.changes] == [
        device.ParaVirtualSCSIController,
        device.VirtualLsiLogicController,
    ]


def test_disks_of_clusters_keep_their_bus_to_themselves() -> None:
    card = device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="virtualSharing", scsiCtlrUnitNumber=7)
    slots = Slots([card])
    assert slots.place(None)[0] != 1000
    assert len(slots.changes) == 1


def test_drives_are_in_the_order_of_their_buses_and_units() -> None:
    devices = [
        device.VirtualAHCIController(key=15000, busNumber=0),
        device.VirtualIDEController(key=201, busNumber=1),
        device.VirtualIDEController(key=200, busNumber=0),
    ]
    drives = [_disk_on(0, 15000), _disk_on(1, 201), _disk_on(0, 201), _disk_on(1, 200)]
    assert drive_order(drives, devices) == [drives[3], drives[2], drives[1], drives[0]]


# ---- attach ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["shutoff", "running"])
def test_a_new_disk_is_thin_and_beside_its_domain(spare: Domain, raw: Raw, center: Running, state: str) -> None:
    raw.reach(spare.native_id, state)
    made = []
    calls = domain_calls(center, lambda: made.append(spare.attach_disk(DiskSpec(size="8MiB"))))
    assert calls["ReconfigVM_Task"] == 1
    (disk,) = made
    assert (disk.capacity_bytes, disk.bus, disk.details["vmware.thin"]) == (8 * MIB, "scsi", True)
    assert _folder(spare) == str(disk.source).rpartition("/")[0]
    assert _device(raw, spare, disk.id).backing.diskMode == "persistent"


@pytest.mark.parametrize("bus", ["sata", "nvme", "ide"])
def test_a_disk_goes_on_the_bus_that_is_asked_for(spare: Domain, bus: str) -> None:
    assert spare.attach_disk(DiskSpec(size="8MiB", bus=bus)).bus == bus


def test_an_ide_bus_takes_and_gives_nothing_while_the_domain_runs(spare: Domain, raw: Raw) -> None:
    disk = spare.attach_disk(DiskSpec(size="8MiB", bus="ide"))
    raw.reach(spare.native_id, "running")
    for refused in (
        lambda: spare.attach_disk(DiskSpec(size="8MiB", bus="ide")),
        lambda: spare.detach_disk(disk),
        lambda: spare.resize_disk(disk, "16MiB"),
    ):
        with pytest.raises(errors.PowerStateError, match="ide"):
            refused()
    assert disk.id in {one.id for one in spare.refresh().disks}


def test_hints_are_obeyed(spare: Domain, raw: Raw) -> None:
    hints = {"vmware.provisioning": "eager", "vmware.mode": "independent_persistent", "vmware.controller": "buslogic"}
    disk = spare.attach_disk(DiskSpec(size="8MiB", hints=hints))
    backing = _device(raw, spare, disk.id).backing
    assert (backing.thinProvisioned, backing.eagerlyScrub, backing.diskMode) == (False, True, "independent_persistent")
    assert disk.details["vmware.controller"] == "buslogic"


def test_a_disk_that_several_may_have_takes_all_its_space(spare: Domain, raw: Raw) -> None:
    disk = spare.attach_disk(DiskSpec(size="8MiB", shareable=True))
    backing = _device(raw, spare, disk.id).backing
    assert (backing.sharing, backing.eagerlyScrub) == ("sharingMultiWriter", True)
    assert disk.shareable


@pytest.mark.parametrize(
    "wish",
    [
        {"bus": "virtio"},
        {"readonly": True},
        {"serial": "x"},
        {"format": "qcow2"},
        {"hints": {"vmware.mode": "sometimes"}},
        {"hints": {"vmware.colour": "red"}},
        {"bus": "nvme", "hints": {"vmware.controller": "pvscsi"}},
        {"shareable": True, "hints": {"vmware.provisioning": "thin"}},
        {"device": "cdrom", "bus": "scsi"},
        {"device": "cdrom", "bus": "sata"},
    ],
    ids=str,
)
def test_what_vsphere_cannot_do_is_refused_before_anything_changes(
    spare: Domain, center: Running, wish: dict[str, Any]
) -> None:
    center.reset_counts()
    with pytest.raises(errors.InvalidSpecError):
        spare.attach_disk(DiskSpec(**({"size": "8MiB"} | wish)))
    assert center.counts().get("ReconfigVM_Task", 0) == 0


def test_a_detached_disk_is_attached_again_by_its_path(spare: Domain, raw: Raw) -> None:
    disk = spare.attach_disk(DiskSpec(size="8MiB"))
    assert disk.source is not None
    spare.detach_disk(disk)
    assert disk.source in files_below(raw)
    again = spare.attach_disk(DiskSpec(source=disk.source))
    assert (again.source, again.capacity_bytes) == (disk.source, 8 * MIB)
    with pytest.raises(errors.HvsdkError, match=r"already|has it"):
        spare.attach_disk(DiskSpec(source=disk.source))


@pytest.mark.parametrize("name", ["plain", *HOSTILE[:1]])
def test_a_volume_is_found_by_its_name_in_a_pool(spare: Domain, host: Host, name: str) -> None:
    pool = host.storage_pool(str(spare.disks[0].pool))
    volume = pool.create_volume(name=f"{name} of {spare.name}", size="8MiB")
    try:
        disk = spare.attach_disk(DiskSpec(source=volume.name, pool=pool.name))
        assert disk.source == volume.id
        spare.detach_disk(disk)
    finally:
        volume.delete()


def test_another_domains_volume_is_not_attached(spare: Domain, domain: Domain) -> None:
    with pytest.raises(errors.BusyError, match="has it") as caught:
        spare.attach_disk(DiskSpec(source=_disk(domain).source))
    assert caught.value.lasting


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_there_is_told(spare: Domain, name: str) -> None:
    store = str(spare.disks[0].source).partition("]")[0] + "]"
    with pytest.raises(errors.VolumeNotFoundError):
        spare.attach_disk(DiskSpec(source=f"{store} no such/{name}.vmdk"))
    with pytest.raises(errors.StoragePoolNotFoundError):
        spare.attach_disk(DiskSpec(size="8MiB", pool=name))
    with pytest.raises((errors.StoragePoolNotFoundError, errors.InvalidSpecError)):
        spare.attach_disk(DiskSpec(source=name))


def test_a_copy_is_grown_and_lies_beside_its_domain(spare: Domain, domain: Domain, raw: Raw) -> None:
    source = _disk(domain)
    assert source.capacity_bytes is not None
    size = source.capacity_bytes + 16 * MIB
    disk = spare.attach_disk(DiskSpec(source=source.source, copy=True, size=size))
    assert (disk.capacity_bytes, str(disk.source).rpartition("/")[0]) == (size, _folder(spare))
    with pytest.raises(errors.InvalidSpecError, match="the source has"):
        spare.attach_disk(DiskSpec(source=source.source, copy=True, size=MIB))


def test_a_domain_that_is_changed_while_a_volume_is_copied_for_it_gets_it(
    spare: Domain, domain: Domain, center: Running, raw: Raw
) -> None:
    center.reset_counts()
    center.fault("CopyVirtualDisk_Task:task-slow=0.5:1")
    with ThreadPoolExecutor(1) as pool:
        copied = pool.submit(spare.attach_disk, DiskSpec(source=_disk(domain).source, copy=True))
        called(center, "CopyVirtualDisk_Task")
        raw.done(raw.vm(spare.native_id).ReconfigVM_Task(vim.vm.ConfigSpec(annotation="changed meanwhile")))
        assert copied.result().source in files_below(raw)


def test_a_copy_that_is_not_taken_is_removed_again(spare: Domain, center: Running, raw: Raw, domain: Domain) -> None:
    before = files_below(raw)
    center.fault("ReconfigVM_Task:task-error=InvalidDeviceSpec:1")
    with pytest.raises(errors.InvalidSpecError):
        spare.attach_disk(DiskSpec(source=_disk(domain).source, copy=True))
    assert files_below(raw) == before
    assert len(spare.refresh().disks) == 1


# ---- detach and grow -------------------------------------------------------------------------------------


def test_sizes_are_rounded_up_and_never_down(spare: Domain) -> None:
    disk = spare.disks[0]
    assert disk.capacity_bytes is not None
    grown = spare.resize_disk(disk, disk.capacity_bytes + 1)
    assert grown.capacity_bytes == disk.capacity_bytes + 1024
    with pytest.raises(errors.InvalidSpecError):
        spare.resize_disk(disk, disk.capacity_bytes)


def test_a_disk_with_snapshots_does_not_grow(spare: Domain, center: Running) -> None:
    spare.create_snapshot("one")
    center.reset_counts()
    with pytest.raises(errors.UnsupportedError, match="snapshots"):
        spare.resize_disk(spare.refresh().disks[0], "64MiB")
    assert center.counts().get("ReconfigVM_Task", 0) == 0


def test_a_suspended_domain_keeps_its_hardware(spare: Domain, raw: Raw, center: Running) -> None:
    raw.reach(spare.native_id, "suspended")
    center.reset_counts()
    for refused in (
        lambda: spare.attach_disk(DiskSpec(size="8MiB")),
        lambda: spare.detach_disk(spare.disks[0]),
        lambda: spare.resize_disk(spare.disks[0], "64MiB"),
    ):
        with pytest.raises(errors.PowerStateError):
            refused()
    assert center.counts().get("ReconfigVM_Task", 0) == 0


def test_what_somebody_else_changed_meanwhile_is_read_anew(spare: Domain, center: Running) -> None:
    center.fault("ReconfigVM_Task:error=ConcurrentAccess:1")
    calls = domain_calls(center, lambda: spare.attach_disk(DiskSpec(size="8MiB")))
    assert calls["ReconfigVM_Task"] == 2
    assert len(spare.refresh().disks) == 2


def test_changes_carry_the_version_that_they_were_made_for(spare: Domain, driver: VmwareDriver, raw: Raw) -> None:
    read = driver.subject(spare.native_id, soon())
    raw.done(raw.vm(spare.native_id).ReconfigVM_Task(vim.vm.ConfigSpec(annotation="theirs")))
    with pytest.raises(vim.fault.ConcurrentAccess):
        finished(driver.change(read, vim.vm.ConfigSpec(annotation="ours"), soon()))
    assert spare.refresh().notes == "theirs"


def test_a_drive_goes_on_sata_while_the_domain_runs(spare: Domain, raw: Raw, center: Running) -> None:
    image = f"{_folder(spare)}/tools.iso"
    write_file(center, raw, image, b"an image")
    raw.reach(spare.native_id, "running")
    drive = spare.attach_disk(DiskSpec(device="cdrom", source=image))
    assert (drive.device, drive.bus, drive.source) == ("cdrom", "sata", image)
    spare.detach_disk(drive)
    assert image in files_below(raw)


def test_a_copy_whose_answer_was_lost_is_taken_out_and_removed(
    spare: Domain, center: Running, raw: Raw, domain: Domain
) -> None:
    before = files_below(raw)
    center.fault("ReconfigVM_Task:drop-after:1")
    with pytest.raises(errors.OperationFailedError, match="removed again"):
        spare.attach_disk(DiskSpec(source=_disk(domain).source, copy=True))
    assert files_below(raw) == before
    assert len(spare.refresh().disks) == 1


def test_a_copy_that_breaks_off_leaves_nothing(spare: Domain, center: Running, raw: Raw, domain: Domain) -> None:
    before = files_below(raw)
    center.fault("ExtendVirtualDisk_Task:task-error=NoDiskSpace:1")
    source = _disk(domain)
    with pytest.raises(errors.InsufficientResourcesError):
        spare.attach_disk(DiskSpec(source=source.source, copy=True, size=(source.capacity_bytes or 0) + 16 * MIB))
    assert files_below(raw) == before


def test_a_volume_goes_to_the_pool_that_is_named(spare: Domain, host: Host) -> None:
    disk = _disk(spare)
    pool = next(pool for pool in host.storage_pools() if pool.id != disk.pool)
    copy = spare.attach_disk(DiskSpec(source=disk.source, copy=True, pool=pool.name))
    assert (copy.pool, copy.capacity_bytes) == (pool.id, disk.capacity_bytes)
    assert str(copy.source).startswith(f"[{pool.name}] ")
    fresh = spare.attach_disk(DiskSpec(size="8MiB", pool=pool.id))
    assert (fresh.pool, str(fresh.source).startswith(f"[{pool.name}] ")) == (pool.id, True)
