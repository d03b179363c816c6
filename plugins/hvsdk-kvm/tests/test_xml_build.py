"""Domains are written as trees: what a text holds cannot become structure, and what cannot be is refused."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hvsdk.driver import CpuTopology, DiskSpec, DomainSpec, NicSpec, VolumeInfo
from hvsdk.errors import InvalidSpecError
from making_support import MIB, ODD_NAMES, UUID, spec

from hvsdk_kvm._hints import DISK_HINTS, DOMAIN_HINTS, NIC_HINTS, read_hints
from hvsdk_kvm._plan import DiskPlan, NicPlan, Platform, check_domain_name, free_target, new_mac, plan_buses
from hvsdk_kvm._xml import parse_xml, write_xml
from hvsdk_kvm._xml_build import DomainPlan, domain_element

Q35 = Platform(domain_type="qemu", machine="q35")
PC = Platform(domain_type="qemu", machine="pc")


def built(
    wish: DomainSpec, *, platform: Platform = Q35, disks: list[DiskPlan] | None = None, nics: int = 0
) -> ET.Element:
    """Return the tree of a specification as libvirt would read it."""
    specs = list(wish.nics) or [NicSpec()] * nics
    adapters = [
        NicPlan(spec=nic, kind="network", source="default", mac=nic.mac or new_mac(), model="virtio") for nic in specs
    ]
    plan = DomainPlan(
        spec=wish,
        uuid=wish.uuid or UUID,
        platform=platform,
        hints=read_hints(wish.hints, DOMAIN_HINTS),
        disks=disks or [],
        nics=adapters,
    )
    return parse_xml(write_xml(domain_element(plan)))


def disk(target: str = "vda", bus: str = "virtio", *, volume: VolumeInfo | None = None, **more: Any) -> DiskPlan:
    """Return a disk's plan."""
    wish = DiskSpec(**{"source": "/images/a.qcow2", **more})
    there = volume or VolumeInfo(
        id="a.qcow2",
        name="a.qcow2",
        pool="p",
        path=wish.source,
        format="qcow2",
        details={"kvm.type": "file", "kvm.pool": "default"},
    )
    return DiskPlan(spec=wish, bus=bus, target=target, volume=there)


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_texts_stay_texts(name: str) -> None:
    root = built(spec(name, notes=name, tags=["a<b>"], metadata={"k": name}, smbios={"serial": name}))
    assert root.findtext("name") == name
    assert root.findtext("description") == name
    assert root.findtext("sysinfo/system/entry[@name='serial']") == name
    assert len(root.findall("name")) == 1


@pytest.mark.parametrize("name", ["two\nlines", "a/b", "../../etc/passwd", "bell\x07", "\uffff", "漢" * 100])
def test_names_that_libvirt_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(InvalidSpecError, match="libvirt cannot hold"):
        check_domain_name(name)


def test_sizes_and_counts_have_a_present_value_and_a_maximum() -> None:
    root = built(spec(vcpus=2, max_vcpus=8, memory="64MiB", max_memory="256MiB"))
    vcpu, memory, current = root.find("vcpu"), root.find("memory"), root.find("currentMemory")
    assert vcpu is not None
    assert (vcpu.text, vcpu.get("current")) == ("8", "2")
    assert memory is not None
    assert (memory.text, memory.get("unit")) == (str(256 * MIB), "b")
    assert current is not None
    assert current.text == str(64 * MIB)


def test_a_topology_is_written_out() -> None:
    root = built(spec(vcpus=4, cpu_topology=CpuTopology(sockets=1, cores=2, threads=2)))
    topology = root.find("cpu/topology")
    assert topology is not None
    assert topology.attrib == {"sockets": "1", "cores": "2", "threads": "2"}


@pytest.mark.parametrize(
    ("clock", "attributes"),
    [
        ("utc", {"offset": "utc"}),
        ("localtime", {"offset": "localtime"}),
        (-3600, {"offset": "variable", "adjustment": "-3600", "basis": "utc"}),
    ],
)
def test_the_clock_is_as_asked(clock: Any, attributes: dict[str, str]) -> None:
    element = built(spec(clock=clock)).find("clock")
    assert element is not None
    assert element.attrib == attributes


def test_bios_is_what_is_there_without_a_word() -> None:
    os = built(spec()).find("os")
    assert os is not None
    assert os.get("firmware") is None


@pytest.mark.parametrize("secure", [False, True])
def test_libvirt_chooses_the_firmware_for_uefi(secure: bool) -> None:
    root = built(spec(firmware="uefi", secure_boot=secure))
    os = root.find("os")
    assert os is not None
    assert os.get("firmware") == "efi"
    feature = os.find("firmware/feature[@name='secure-boot']")
    assert feature is not None
    assert feature.get("enabled") == ("yes" if secure else "no")
    assert (root.find("features/smm") is not None) is secure


def test_secure_boot_needs_q35() -> None:
    with pytest.raises(InvalidSpecError, match="q35"):
        built(spec(firmware="uefi", secure_boot=True), platform=PC)


def test_the_guest_reads_what_smbios_was_given() -> None:
    root = built(spec(smbios={"manufacturer": "Acme", "uuid": UUID.upper(), "sku": "1"}))
    entries = {entry.get("name"): entry.text for entry in root.iterfind("sysinfo/system/entry")}
    assert entries == {"manufacturer": "Acme", "sku": "1"}
    assert root.find("os/smbios[@mode='sysinfo']") is not None


@pytest.mark.parametrize("values", [{"colour": "red"}, {"uuid": UUID.replace("a", "b")}], ids=str)
def test_smbios_values_that_libvirt_has_no_place_for_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(InvalidSpecError):
        built(spec(smbios=values))


@pytest.mark.parametrize(
    "hints", [{"kvm.colour": "red"}, {"kvm.on_crash": "explode"}, {"kvm.spare_ports": True}, {"kvm.rng": 1}], ids=str
)
def test_hints_that_are_not_understood_are_refused(hints: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpecError, match=r"kvm\."):
        built(spec(hints=hints))


def test_hints_of_other_products_are_left_alone() -> None:
    assert built(spec(hints={"xen.pv": True})).find("name") is not None


def test_hints_are_carried_out() -> None:
    root = built(
        spec(
            hints={
                "kvm.cpu_mode": "maximum",
                "kvm.on_crash": "preserve",
                "kvm.serial_file": "/tmp/a <b>.log",
                "kvm.graphics": "none",
                "kvm.video": "none",
                "kvm.balloon": False,
                "kvm.rng": False,
                "kvm.agent": False,
                "kvm.cmdline": "a='b' <c>",
                "kvm.kernel": "/k",
                "kvm.cpu_shares": 2048,
            }
        )
    )
    assert root.find("cpu[@mode='maximum']") is not None
    assert root.findtext("on_crash") == "preserve"
    assert root.find("devices/serial[@type='file']/source[@path='/tmp/a <b>.log']") is not None
    assert root.find("devices/memballoon[@model='none']") is not None
    assert root.find("devices/video/model[@type='none']") is not None
    for absent in ("graphics", "rng", "channel"):
        assert root.find(f"devices/{absent}") is None
    assert root.findtext("os/cmdline") == "a='b' <c>"
    assert root.findtext("cputune/shares") == "2048"


def test_a_domain_has_a_screen_on_loopback_a_console_random_numbers_and_a_port_for_the_agent() -> None:
    devices = built(spec()).find("devices")
    assert devices is not None
    assert devices.find("graphics[@type='vnc'][@listen='127.0.0.1'][@autoport='yes']") is not None
    assert devices.find("serial[@type='pty']") is not None
    assert devices.find("rng[@model='virtio']") is not None
    assert devices.find("channel/target[@name='org.qemu.guest_agent.0']") is not None


def test_disks_are_as_asked() -> None:
    root = built(spec(), disks=[disk(serial="S-1", readonly=True), disk("vdb", source="/images/b")])
    first, second = root.findall("devices/disk")
    assert first.findtext("serial") == "S-1"
    assert first.find("readonly") is not None
    assert second.find("readonly") is None
    driver = second.find("driver")
    assert driver is not None
    assert driver.attrib == {"name": "qemu", "type": "qcow2", "discard": "unmap", "detect_zeroes": "unmap"}


def test_hints_of_a_disk_are_carried_out() -> None:
    hints = {"kvm.cache": "none", "kvm.io": "native", "kvm.discard": "ignore", "kvm.logical_block_size": 4096}
    (element,) = built(spec(), disks=[disk(hints={**hints, "kvm.iops": 100})]).findall("devices/disk")
    driver = element.find("driver")
    assert driver is not None
    assert (driver.get("cache"), driver.get("io"), driver.get("discard")) == ("none", "native", "ignore")
    assert element.find("blockio[@logical_block_size='4096']") is not None
    assert element.findtext("iotune/total_iops_sec") == "100"


@pytest.mark.parametrize("serial", ["", "x" * 21, "a b\n", "<s>", "é"])
def test_a_serial_number_that_a_disk_cannot_show_is_refused(serial: str) -> None:
    with pytest.raises(InvalidSpecError, match="serial number"):
        built(spec(), disks=[disk(serial=serial)])


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("file", {"file": "/images/a.qcow2"}),
        ("block", {"dev": "/images/a.qcow2"}),
        ("network", {"pool": "ceph", "volume": "a"}),
    ],
)
def test_a_source_is_named_as_its_kind_wants(kind: str, attributes: dict[str, str]) -> None:
    volume = VolumeInfo(
        id="a", name="a", pool="p", path="/images/a.qcow2", format="raw", details={"kvm.type": kind, "kvm.pool": "ceph"}
    )
    source = built(spec(), disks=[disk(volume=volume)]).find("devices/disk/source")
    assert source is not None
    assert source.attrib == attributes


def test_adapters_are_as_asked() -> None:
    nic = NicSpec(mac="52:54:00:00:00:01", link_up=False, mtu=9000, vlan=7, hints={"kvm.filter": "clean-traffic"})
    (element,) = built(spec(nics=[nic])).findall("devices/interface")
    assert element.find("mac[@address='52:54:00:00:00:01']") is not None
    assert element.find("link[@state='down']") is not None
    assert element.find("mtu[@size='9000']") is not None
    assert element.find("vlan/tag[@id='7']") is not None
    assert element.find("filterref[@filter='clean-traffic']") is not None


def test_devices_have_addresses_in_the_order_of_the_specification() -> None:
    root = built(spec(pci_order=True), disks=[disk("vda"), disk("vdb")], nics=2)
    addresses = [
        element.find("address") for element in [*root.findall("devices/disk"), *root.findall("devices/interface")]
    ]
    assert [None if a is None else a.get("bus") for a in addresses] == ["0x01", "0x02", "0x03", "0x04"]


def test_a_board_with_slots_has_them_in_order_too() -> None:
    root = built(spec(pci_order=True), platform=PC, disks=[disk("vda")], nics=1)
    slots = [a.get("slot") for a in root.iterfind("devices/*/address")]
    assert slots == ["0x08", "0x09"]


def test_more_devices_than_slots_are_refused() -> None:
    with pytest.raises(InvalidSpecError, match="do not fit"):
        built(spec(pci_order=True), platform=PC, nics=25)


@pytest.mark.parametrize("spare", [0, 4])
def test_ports_are_left_for_hot_plug(spare: int) -> None:
    without = built(spec(hints={"kvm.spare_ports": 0}), nics=2)
    with_spare = built(spec(hints={"kvm.spare_ports": spare}), nics=2)
    ports = "devices/controller[@model='pcie-root-port']"
    assert len(with_spare.findall(ports)) - len(without.findall(ports)) == spare


def test_disks_go_on_the_paravirtual_bus_in_order() -> None:
    places = plan_buses([DiskSpec(size="1MiB"), DiskSpec(device="cdrom"), DiskSpec(size="1MiB")], Q35)
    assert places == [("virtio", "vda"), ("sata", "sda"), ("virtio", "vdb")]


def test_many_disks_go_on_virtio_scsi() -> None:
    places = plan_buses([DiskSpec(size="1MiB")] * 9, Q35)
    assert {bus for bus, _ in places} == {"scsi"}
    assert places[-1] == ("scsi", "sdi")


def test_windows_finds_its_disk_without_a_driver() -> None:
    assert plan_buses([DiskSpec(size="1MiB")], Q35, windows=True) == [("sata", "sda")]


@pytest.mark.parametrize(
    ("platform", "wish"),
    [
        (Q35, DiskSpec(size="1MiB", bus="ide")),
        (Q35, DiskSpec(device="cdrom", bus="virtio")),
        (PC, DiskSpec(size="1MiB", bus="nonsense")),
    ],
    ids=str,
)
def test_a_bus_that_is_not_there_is_refused(platform: Platform, wish: DiskSpec) -> None:
    with pytest.raises(InvalidSpecError, match="bus"):
        plan_buses([wish], platform)


def test_a_fifth_disk_does_not_fit_on_ide() -> None:
    with pytest.raises(InvalidSpecError, match="IDE"):
        plan_buses([DiskSpec(size="1MiB", bus="ide")] * 5, PC)


def test_a_plain_xen_host_gets_its_own_buses_and_none_of_qemus_helpers() -> None:
    xen = Platform(domain_type="xen")
    assert plan_buses([DiskSpec(size="1MiB"), DiskSpec(device="cdrom")], xen) == [("xen", "xvda"), ("ide", "hda")]
    root = built(spec(), platform=xen, disks=[disk("xvda", "xen")])
    assert root.get("type") == "xen"
    for absent in ("controller", "rng", "channel", "disk/driver"):
        assert root.find(f"devices/{absent}") is None


def test_the_handbook_has_all_hints() -> None:
    page = Path(__file__).parents[3] / "docs" / "backends" / "kvm.md"
    documented = set(re.findall(r"`(kvm\.[a-z_]+)`", page.read_text(encoding="utf-8")))
    assert documented >= DOMAIN_HINTS.keys() | DISK_HINTS.keys() | NIC_HINTS.keys()


def test_names_of_disks_go_on_after_z() -> None:
    taken = [f"vd{chr(ord('a') + i)}" for i in range(26)]
    assert free_target("virtio", taken) == "vdaa"
