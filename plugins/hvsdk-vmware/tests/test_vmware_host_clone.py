"""Clones on an ESXi host, which has no call for them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import hvsdk
import pytest
from hvsdk.driver import Capability, PowerState, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_disks import MIB, PIECES, disk_of, expected, same, whole, write
from vmware_support import Raw, connect, opened, soon

from hvsdk_vmware._host_copy import boot_order_of, copied_devices

device = vim.vm.device


@pytest.fixture
def esxi_raw(esxi: Running) -> Iterator[Raw]:
    """Another client of the host."""
    client = Raw(esxi)
    yield client
    client.close()


@pytest.fixture
def esxi_host(esxi: Running) -> Iterator[hvsdk.Host]:
    with connect(esxi) as host:
        yield host


@pytest.fixture
def original(esxi: Running, esxi_host: hvsdk.Host, esxi_raw: Raw) -> Iterator[hvsdk.Domain]:
    """A domain that is off, with two disks that have content; what bears its name goes with it."""
    native_id = esxi_raw.make_vm("original", vcpus=2, disks=2)
    for number in range(2):
        content = base64.b64encode(b"disk %d" % number * 100).decode()
        esxi.act("disk", vm=native_id, disk=number, write=content, offset=1 << 20)
    yield esxi_host.domain(native_id)
    esxi.clear_faults()
    for one in esxi_host.domains():
        if one.name.startswith("original"):
            esxi_raw.remove_vm(one.native_id)


def content(esxi: Running, domain: hvsdk.Domain) -> list[object]:
    return [esxi.act("disk", vm=domain.native_id, disk=number)["grains"] for number in range(2)]


def test_a_clone_has_the_content_and_another_identity(esxi: Running, original: hvsdk.Domain) -> None:
    original.set_notes("copied <too>")
    original.set_tags({"web"})
    original.set_metadata({"team": "a"})
    copy = original.clone("original/copy 100%").refresh()
    assert copy.name == "original/copy 100%"
    assert content(esxi, copy) == content(esxi, original)
    assert copy.uuid not in (None, original.uuid)
    assert copy.nics[0].mac not in (None, original.nics[0].mac)
    assert copy.nics[0].network == original.nics[0].network
    assert {disk.source for disk in copy.disks}.isdisjoint({disk.source for disk in original.disks})
    for field in ("vcpus", "memory_bytes", "notes", "tags", "metadata", "firmware"):
        assert getattr(copy, field) == getattr(original.refresh(), field), field
    assert [(one.bus, one.capacity_bytes, one.details["vmware.unit"]) for one in copy.disks] == [
        (one.bus, one.capacity_bytes, one.details["vmware.unit"]) for one in original.disks
    ]
    copy.start()


def test_a_clone_of_a_fenced_domain_is_not_fenced(original: hvsdk.Domain) -> None:
    original.fence("moved")
    copy = original.clone("original-copy").refresh()
    assert copy.info.fenced is None


def test_a_clone_outlives_its_original_and_has_no_snapshots(
    esxi: Running, esxi_raw: Raw, original: hvsdk.Domain
) -> None:
    original.create_snapshot("one")
    before = content(esxi, original)
    copy = original.clone("original-copy")
    assert copy.snapshots() == []
    esxi_raw.remove_vm(original.native_id)
    assert content(esxi, copy) == before


@pytest.mark.parametrize(
    "fault",
    [
        "CopyVirtualDisk_Task:task-error=NoDiskSpace,full:1",
        "CopyVirtualDisk_Task:drop-after:1",
        "CreateVM_Task:task-error=NoPermission,no:1",
        "ReconfigVM_Task:task-error=NoPermission,no:1",
    ],
)
def test_a_clone_that_fails_leaves_nothing(
    esxi: Running, esxi_host: hvsdk.Host, esxi_raw: Raw, original: hvsdk.Domain, fault: str
) -> None:
    before = [one.name for one in esxi_host.domains()]
    volumes = {one.id for pool in esxi_host.storage_pools() for one in pool.volumes()}
    esxi.fault(fault)
    with pytest.raises(errors.HvsdkError):
        original.clone("original-copy")
    assert [one.name for one in esxi_host.domains()] == before
    assert {one.id for pool in esxi_host.storage_pools() for one in pool.volumes()} == volumes


def test_what_is_not_possible_is_said(esxi_host: hvsdk.Host, esxi_raw: Raw, original: hvsdk.Domain) -> None:
    assert not esxi_host.supports(Capability.CLONE_LINKED)
    with pytest.raises(errors.UnsupportedError):
        original.clone("original-copy", linked=True)
    with pytest.raises(errors.AlreadyExistsError):
        original.clone("original")
    esxi_raw.reach(original.native_id, "running")
    with pytest.raises((errors.PowerStateError, errors.UnsupportedError)):
        original.clone("original-copy")
    assert original.refresh().power_state is PowerState.RUNNING


def test_devices_that_are_bound_to_the_host_are_not_copied() -> None:
    card = device.VirtualPCIPassthrough(key=13000, controllerKey=100)
    with pytest.raises(errors.UnsupportedError, match="PCIPassthrough"):
        copied_devices([card])


def test_controllers_and_what_is_on_them_are_copied_together() -> None:
    changes = copied_devices(
        [
            device.VirtualIDEController(key=200, busNumber=0),
            device.VirtualAHCIController(key=15000, busNumber=0, controllerKey=100, device=[16000]),
            device.VirtualCdrom(key=16000, controllerKey=15000, unitNumber=0),
            device.VirtualCdrom(key=3000, controllerKey=200, unitNumber=0),
            device.VirtualDisk(key=2000, controllerKey=1000, capacityInKB=1),
        ]
    )
    sata, on_sata, on_ide = (change.device for change in changes)
    assert sata.key < 0
    assert sata.device == []
    assert on_sata.controllerKey == sata.key
    assert on_ide.controllerKey == 200


def test_a_copy_boots_from_the_disk_that_the_original_boots_from(esxi_raw: Raw, original: hvsdk.Domain) -> None:
    boot = vim.vm.BootOptions
    second = int(original.disks[1].id)
    order = boot(bootOrder=[boot.BootableDiskDevice(deviceKey=second)])
    esxi_raw.done(esxi_raw.vm(original.native_id).ReconfigVM_Task(vim.vm.ConfigSpec(bootOptions=order)))
    copy = original.clone("original-copy").refresh()
    (entry,) = esxi_raw.vm(copy.native_id).config.bootOptions.bootOrder
    disk = next(one for one in copy.disks if one.id == str(entry.deviceKey))
    assert disk.details["vmware.unit"] == original.disks[1].details["vmware.unit"]


def test_the_boot_order_names_the_devices_of_the_copy() -> None:
    boot = vim.vm.BootOptions
    order = [
        boot.BootableEthernetDevice(deviceKey=4000),
        boot.BootableDiskDevice(deviceKey=2001),
        boot.BootableCdromDevice(),
    ]
    order.append(boot.BootableDiskDevice(deviceKey=2099))  # it is gone
    hardware = vim.vm.VirtualHardware(device=[device.VirtualVmxnet3(key=4000)])
    config = vim.vm.ConfigInfo(bootOptions=boot(bootOrder=order), hardware=hardware)
    found = boot_order_of(config, [device.VirtualVmxnet3(key=4007)], {2001: 2005})
    assert [getattr(one, "deviceKey", None) for one in found] == [4007, 2005, None]
    assert order[0].deviceKey == 4000


def test_a_clone_has_the_bytes_of_its_original(esxi: Running, original: hvsdk.Domain) -> None:
    write(esxi, original.native_id, {0: b"\0" * 4096} | PIECES)
    copy = original.clone("original-copy")
    write(esxi, original.native_id, {MIB: b"later"})
    with opened(esxi) as driver:
        reader = driver.open_disk(copy.native_id, disk_of(driver, copy.native_id), snapshot_id=None, deadline=soon())
        wanted = bytearray(expected())
        wanted[MIB : MIB + 7] = (b"disk 0" * 2)[:7]  # what the fixture wrote, where no piece is
        same(whole(reader), bytes(wanted))
        reader.close()
