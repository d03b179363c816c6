"""Making domains: as asked, whole or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import CloudInit, CpuTopology, DiskSpec, DomainSpec, NicSpec, PowerState, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_files import files_below, write_file
from vmware_support import Raw, connect

from hvsdk_vmware._hints import DISK_HINTS, DOMAIN_HINTS, NIC_HINTS, VOLUME_HINTS

MIB = 1 << 20
DISK = DiskSpec(size="16MiB")
_numbers = itertools.count(1)
Create = Callable[..., hvsdk.Domain]


@pytest.fixture
def either_raw(either: Running) -> Iterator[Raw]:
    """Another client of the vCenter, then of the ESXi host."""
    client = Raw(either)
    yield client
    client.close()


@pytest.fixture
def on(either: Running) -> Iterator[hvsdk.Host]:
    """A host on the vCenter, then on the ESXi host."""
    with connect(either) as host:
        yield host


@pytest.fixture
def create(on: hvsdk.Host, either_raw: Raw, either: Running) -> Iterator[Create]:
    """Makes domains, which are removed after the test."""
    made: list[hvsdk.Domain] = []

    def create(**fields: Any) -> hvsdk.Domain:
        wishes = {"name": f"new-{next(_numbers)}", "memory": "128MiB"} | fields
        made.append(on.create_domain(DomainSpec(**wishes)))
        return made[-1]

    yield create
    either.clear_faults()
    for domain in made:
        either_raw.remove_vm(domain.native_id)


def _all(raw: Raw) -> dict[str, str]:
    return {str(vm._moId): str(vm.name) for vm in raw.all(vim.VirtualMachine)}


def _config(raw: Raw, domain: hvsdk.Domain) -> Any:
    return raw.vm(domain.native_id).config


def test_a_domain_is_made_as_asked(create: Create, either_raw: Raw) -> None:
    domain = create(vcpus=2, disks=[DISK, DiskSpec(size="32MiB")], nics=[NicSpec(mac="52:54:00:aa:bb:01"), NicSpec()])
    assert domain.power_state is PowerState.SHUTOFF
    assert (domain.vcpus, domain.memory_bytes, domain.info.firmware) == (2, 128 * MIB, "bios")
    assert [disk.capacity_bytes for disk in domain.disks] == [16 * MIB, 32 * MIB]
    assert domain.nics[0].mac == "52:54:00:aa:bb:01"
    assert len({nic.mac for nic in domain.nics}) == 2
    domain.start()
    assert domain.power_state is PowerState.RUNNING


def test_one_call_makes_a_domain_with_its_devices(create: Create, either: Running) -> None:
    either.reset_counts()
    create(disks=[DISK, DISK], nics=[NicSpec()], notes="n", metadata={"a.b": "c"})
    calls = either.counts()
    assert calls["CreateVM_Task"] == 1
    assert calls.get("ReconfigVM_Task", 0) == 0


def test_labels_are_there_from_the_beginning(create: Create) -> None:
    domain = create(notes="a\n<note> & 'more'", tags=["one", "zwei 2"], metadata={"team.owner": "me", "x.y": ""})
    info = domain.refresh().info
    assert (info.notes, info.tags) == ("a\n<note> & 'more'", frozenset({"one", "zwei 2"}))
    assert dict(info.metadata) == {"team.owner": "me", "x.y": ""}


@pytest.mark.parametrize(
    "name", ["a b", "x'\"$(id)`", "<&>]]>", "línea\nzwei", "50%", "a/b\\c%2f", "[ds] ../x", "n" * 80]
)
def test_any_name_that_fits_is_taken(create: Create, name: str) -> None:
    domain = create(name=name, disks=[DISK])
    assert domain.refresh().name == name
    domain.delete(disks="delete")


@pytest.mark.parametrize("name", ["n" * 81, "/" * 30])
def test_a_name_that_does_not_fit_is_refused(create: Create, name: str) -> None:
    with pytest.raises(errors.InvalidSpecError):
        create(name=name)


def test_a_uuid_is_what_vsphere_and_the_guest_know(create: Create, either_raw: Raw) -> None:
    wanted = "c0ffee00-1111-4222-8333-444455556666"
    domain = create(uuid=wanted)
    assert domain.uuid == wanted
    assert _config(either_raw, domain).uuid == wanted
    with pytest.raises(errors.AlreadyExistsError):
        create(uuid=wanted)


def test_the_guest_may_see_another_uuid(create: Create, either_raw: Raw) -> None:
    seen = "00112233-4455-4677-8899-aabbccddeeff"
    domain = create(smbios={"uuid": seen})
    assert _config(either_raw, domain).uuid == seen
    assert domain.uuid != seen


def test_what_can_grow_while_it_runs_is_switched_on(create: Create, either_raw: Raw) -> None:
    config = _config(either_raw, create(memory="128MiB", max_memory="512MiB", vcpus=1, max_vcpus=4))
    assert (config.memoryHotAddEnabled, config.cpuHotAddEnabled) == (True, True)
    fixed = _config(either_raw, create())
    assert (fixed.memoryHotAddEnabled, fixed.cpuHotAddEnabled) == (False, False)


def test_firmware_topology_and_clock_are_as_asked(create: Create, either_raw: Raw) -> None:
    topology = CpuTopology(sockets=2, cores=2)
    domain = create(
        firmware="uefi", secure_boot=True, vcpus=4, cpu_topology=topology, clock=3600, guest_os="windows", disks=[DISK]
    )
    assert (domain.info.firmware, domain.info.secure_boot, domain.info.cpu_topology) == ("uefi", True, topology)
    config = _config(either_raw, domain)
    assert config.guestId == "windows9Server64Guest"
    assert {one.key: one.value for one in config.extraConfig}["rtc.diffFromUTC"] == "3600"


def test_hints_are_obeyed(create: Create, either_raw: Raw) -> None:
    hints = {
        "vmware.guest_id": "debian11_64Guest",
        "vmware.hardware_version": "vmx-13",
        "vmware.nested": True,
        "vmware.extra_config": {"tools.syncTime": "FALSE"},
        "vmware.memory_reservation_mib": 64,
        "kvm.cpu_mode": "other",
    }
    config = _config(either_raw, create(hints=hints))
    assert (config.guestId, config.version, config.nestedHVEnabled) == ("debian11_64Guest", "vmx-13", True)
    assert {one.key: one.value for one in config.extraConfig}["tools.syncTime"] == "FALSE"
    assert config.memoryAllocation.reservation == 64


@pytest.mark.parametrize(
    "wish",
    [
        {"machine": "q35"},
        {"clock": "localtime"},
        {"smbios": {"serial": "1"}},
        {"memory": "129MiB"},
        {"vcpus": 2, "cpu_topology": CpuTopology(sockets=1, cores=1, threads=2)},
        {"vcpus": 3, "max_vcpus": 4, "cpu_topology": CpuTopology(sockets=2, cores=2)},
        {"smbios": {"uuid": "none"}},
        {"hints": {"vmware.colour": "red"}},
        {"hints": {"vmware.nested": "yes"}},
        {"hints": {"vmware.extra_config": {"hvsdk-tags": "x"}}},
        {"hints": {"vmware.extra_config": {"x": 1}}},
        {"hints": {"vmware.hardware_version": "19"}},
        {"disks": [DiskSpec(size="16MiB", boot_order=1), DiskSpec(size="16MiB", boot_order=1)]},
    ],
)
def test_what_vsphere_cannot_do_is_refused_before_anything_is_made(
    create: Create, either_raw: Raw, either: Running, wish: dict[str, Any]
) -> None:
    either.reset_counts()
    with pytest.raises(errors.InvalidSpecError):
        create(**wish)
    assert either.counts().get("CreateVM_Task", 0) == 0


def test_an_unknown_hint_names_those_that_there_are(create: Create) -> None:
    with pytest.raises(errors.InvalidSpecError, match=r"vmware\.datastore.*vmware\.resource_pool"):
        create(hints={"vmware.color": "x"})


def test_hints_are_named_for_this_backend() -> None:
    assert all(
        key.startswith("vmware.") for table in (DOMAIN_HINTS, DISK_HINTS, NIC_HINTS, VOLUME_HINTS) for key in table
    )


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"hints": {"vmware.folder": "No/such"}}, errors.NotFoundError),
        ({"hints": {"vmware.resource_pool": "no such"}}, errors.NotFoundError),
        ({"hints": {"vmware.host": "no such"}}, errors.NodeNotFoundError),
        ({"hints": {"vmware.datastore": "no such"}}, errors.StoragePoolNotFoundError),
        ({"disks": [DiskSpec(size="16MiB", pool="no such")]}, errors.StoragePoolNotFoundError),
        ({"nics": [NicSpec(network="no such")]}, errors.NetworkNotFoundError),
    ],
)
def test_places_that_are_not_there_are_told(create: Create, wish: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"no such|No/such") as caught:
        create(**wish)
    assert "there are: " in str(caught.value)


def test_a_domain_goes_where_hints_say(center: Running, raw: Raw, host: hvsdk.Host) -> None:
    center_mo = raw.content.rootFolder.childEntity[0]
    number = next(_numbers)
    folder = center_mo.vmFolder.CreateFolder(f"team {number}")
    node = host.nodes()[-1]
    hints = {"vmware.folder": f"{center_mo.name}/vm/team {number}", "vmware.host": node.name}
    made = host.create_domain(DomainSpec(name=f"placed-{number}", memory="64MiB", hints=hints))
    try:
        assert made.info.folder == hints["vmware.folder"]
        assert made.info.node == node.name
    finally:
        raw.remove_vm(made.native_id)
        folder.Destroy_Task()


def test_a_name_is_there_once_in_a_folder(create: Create) -> None:
    name = f"twice-{next(_numbers)}"
    create(name=name)
    with pytest.raises(errors.AlreadyExistsError):
        create(name=name)


def test_an_image_is_in_a_drive(create: Create, either_raw: Raw, either: Running) -> None:
    first = create(disks=[DISK])
    image = first.disks[0].source.rpartition("/")[0] + "/debian.iso"
    write_file(either, either_raw, image, b"an image")
    domain = create(disks=[DISK], media=image)
    drive = next(disk for disk in domain.disks if disk.device == "cdrom")
    assert (len(domain.disks), drive.source) == (2, image)


def test_a_boot_order_is_kept(create: Create) -> None:
    disks = [DiskSpec(size="16MiB", boot_order=2), DiskSpec(size="20MiB", boot_order=1)]
    found = {disk.capacity_bytes: disk.boot_order for disk in create(disks=disks).refresh().disks}
    assert found == {16 * MIB: 2, 20 * MIB: 1}


def test_adapters_have_slots_in_their_order(create: Create, either_raw: Raw) -> None:
    domain = create(disks=[DISK], nics=[NicSpec() for _ in range(5)], pci_order=True)
    cards = [
        device
        for device in _config(either_raw, domain).hardware.device
        if isinstance(device, vim.vm.device.VirtualEthernetCard)
    ]
    assert [card.slotInfo.pciSlotNumber for card in cards] == [192, 1216, 224, 1248, 256]


def test_the_image_for_cloud_init_goes_with_its_domain(create: Create, either_raw: Raw, either: Running) -> None:
    domain = create(disks=[DISK], cloud_init=CloudInit(user_data="#cloud-config\npassword: hidden-7\n"))
    drive = next(disk for disk in domain.disks if disk.device == "cdrom")
    assert drive.source.endswith(f"hvsdk-seed-{domain.uuid}.iso")
    assert "hidden-7" not in str(domain.info.to_dict())
    either.reset_counts()
    kept = next(disk.source for disk in domain.disks if disk.device == "disk")
    domain.delete(disks="keep")
    calls = either.counts()
    assert calls["DeleteDatastoreFile_Task"] == 1
    folder = kept.rpartition("/")[0].rpartition("] ")[2]
    assert files_below(either_raw, folder) == {kept, kept.replace(".vmdk", "-flat.vmdk")}


def test_a_volume_that_is_there_is_attached_as_it_is(create: Create) -> None:
    first = create(disks=[DISK])
    source = first.disks[0].source
    first.delete(disks="keep")
    assert create(disks=[DiskSpec(source=source)]).disks[0].source == source


def test_a_volume_is_copied_and_grown(create: Create) -> None:
    first = create(disks=[DISK])
    copied = create(
        disks=[DISK, DiskSpec(source=first.disks[0].source, copy=True, size="64MiB"), DiskSpec(size="20MiB")]
    )
    assert [disk.capacity_bytes for disk in copied.disks] == [16 * MIB, 64 * MIB, 20 * MIB]
    assert copied.disks[1].source != first.disks[0].source


@pytest.fixture
def template(raw: Raw) -> Iterator[str]:
    """The id of a template with one disk and one adapter whose MAC was chosen by hand."""
    native_id = raw.make_vm(f"template-{next(_numbers)}")
    card = next(
        one for one in raw.vm(native_id).config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)
    )
    card.addressType, card.macAddress = "manual", "00:50:56:01:02:03"
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)
    raw.done(raw.vm(native_id).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change], annotation="of the template")))
    raw.vm(native_id).MarkAsTemplate()
    yield native_id
    raw.remove_vm(native_id)


def test_a_domain_is_made_from_a_template(host: hvsdk.Host, raw: Raw, template: str) -> None:
    name = f"from-template-{next(_numbers)}"
    spec = DomainSpec(
        name=name,
        memory="256MiB",
        vcpus=2,
        template=host.domain(template).name,
        disks=[DiskSpec(size="20MiB")],
        notes="n",
    )
    made = host.create_domain(spec)
    try:
        assert (made.name, made.vcpus, made.memory_bytes, made.notes) == (name, 2, 256 * MIB, "n")
        assert [disk.capacity_bytes for disk in made.disks] == [16 * MIB, 20 * MIB]
        assert made.is_template is False
        assert made.nics[0].mac != "00:50:56:01:02:03"
        assert made.disks[0].source != host.domain(template).disks[0].source
    finally:
        made.delete(disks="delete")
    assert host.domain(template).disks


def test_marks_of_a_template_are_not_those_of_domains_made_from_it(host: hvsdk.Host, raw: Raw, template: str) -> None:
    entries = {"hvsdk:hvsdk.moved-from": "x", "hvsdk:team": "a", "hvsdk-made": "x"}
    change = [vim.option.OptionValue(key=key, value=value) for key, value in entries.items()]
    raw.vm(template).MarkAsVirtualMachine(raw.all(vim.ResourcePool)[0])
    raw.done(raw.vm(template).ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=change)))
    raw.vm(template).MarkAsTemplate()
    made = host.create_domain(DomainSpec(name=f"from-template-{next(_numbers)}", memory="64MiB", template=template))
    try:
        entries = {one.key: one.value for one in raw.vm(made.native_id).config.extraConfig}
        assert {key: value for key, value in entries.items() if key.startswith("hvsdk")} == {"hvsdk:team": "a"}
    finally:
        made.delete(disks="delete")


def test_a_fenced_domain_is_no_template(host: hvsdk.Host, raw: Raw) -> None:
    fenced = host.domain(raw.make_vm(f"fenced-{next(_numbers)}"))
    fenced.fence("moved")
    for key in (fenced.name, fenced.native_id):
        with pytest.raises(errors.DomainNotFoundError, match="no template"):
            host.create_domain(DomainSpec(name="x", memory="64MiB", template=key))
    fenced.delete(disks="delete")


def test_adapters_take_the_place_of_a_templates(host: hvsdk.Host, template: str) -> None:
    spec = DomainSpec(
        name=f"from-template-{next(_numbers)}",
        memory="64MiB",
        template=template,
        nics=[NicSpec(mac="52:54:00:aa:bb:77")],
    )
    made = host.create_domain(spec)
    assert [nic.mac for nic in made.nics] == ["52:54:00:aa:bb:77"]
    made.delete(disks="delete")


def test_a_template_that_is_none_is_told(host: hvsdk.Host) -> None:
    for key in ("no such", host.domains()[0].name):
        with pytest.raises(errors.DomainNotFoundError, match="no template"):
            host.create_domain(DomainSpec(name="x", memory="64MiB", template=key))
