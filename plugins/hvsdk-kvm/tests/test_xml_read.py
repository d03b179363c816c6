"""What is read from a domain's XML, hostile ones included."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hvsdk import errors
from hvsdk.driver import CpuTopology, Disk, Nic

from hvsdk_kvm._xml import HVSDK_NAMESPACE, parse_xml
from hvsdk_kvm._xml_read import agent_channel, config_fields, disks, memory_bytes, nics


def domain(inside: str = "", devices: str = "") -> ET.Element:
    return parse_xml(f"<domain type='kvm'><name>d</name>{inside}<devices>{devices}</devices></domain>")


def test_a_document_type_is_refused() -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain><name>&b;</name></domain>'
    with pytest.raises(errors.OperationFailedError, match="document type"):
        parse_xml(bomb)


def test_the_word_doctype_in_somebodys_metadata_is_harmless() -> None:
    root = parse_xml("<domain><metadata><x><![CDATA[<!DOCTYPE html>]]></x></metadata><name>d</name></domain>")
    assert root.findtext("metadata/x") == "<!DOCTYPE html>"


@pytest.mark.parametrize("text", ["", "<domain>", "not xml", "<a>&undeclared;</a>"])
def test_what_is_no_xml_is_said_to_be_none(text: str) -> None:
    with pytest.raises(errors.OperationFailedError, match="cannot be read"):
        parse_xml(text)


@pytest.mark.parametrize(
    ("unit", "size"),
    [("", 1024), (" unit='KiB'", 1024), (" unit='b'", 1), (" unit='MB'", 10**6), (" unit='GiB'", 2**30)],
)
def test_sizes_have_units(unit: str, size: int) -> None:
    assert memory_bytes(ET.fromstring(f"<memory{unit}> 3 </memory>")) == 3 * size


@pytest.mark.parametrize("text", ["", "-1", "1e3", "٣", "9" * 30])
def test_a_size_that_is_no_number_is_unknown(text: str) -> None:
    assert memory_bytes(ET.fromstring(f"<memory>{text}</memory>")) is None
    assert memory_bytes(ET.fromstring("<memory unit='parsec'>1</memory>")) is None


def test_memory_and_vcpus_are_what_it_boots_with() -> None:
    fields = config_fields(
        domain(
            "<maxMemory slots='4' unit='GiB'>8</maxMemory><memory unit='GiB'>4</memory>"
            "<currentMemory unit='GiB'>2</currentMemory><vcpu current='2'>8</vcpu>"
            "<cpu mode='host-model'><topology sockets='2' dies='2' cores='2' threads='1'/></cpu>"
        ),
        autostart=True,
    )
    assert fields["memory_bytes"] == 2 * 2**30
    assert fields["max_memory_bytes"] == 8 * 2**30
    assert (fields["vcpus"], fields["max_vcpus"]) == (2, 8)
    assert fields["cpu_topology"] == CpuTopology(sockets=2, cores=4, threads=1)
    assert fields["autostart"] is True
    assert fields["created_at"] is None
    assert fields["started_at"] is None
    assert fields["details"]["kvm.cpu_mode"] == "host-model"


def test_without_a_present_size_it_boots_with_all_its_memory() -> None:
    fields = config_fields(domain("<memory unit='MiB'>64</memory><vcpu>3</vcpu>"), autostart=None)
    assert fields["memory_bytes"] == fields["max_memory_bytes"] == 64 * 2**20
    assert (fields["vcpus"], fields["max_vcpus"]) == (3, 3)


@pytest.mark.parametrize(
    ("os", "firmware", "secure"),
    [
        ("<os><type>hvm</type></os>", "bios", None),
        ("<os firmware='efi'><type>hvm</type></os>", "uefi", False),
        ("<os><type>hvm</type><loader type='pflash'>/OVMF</loader></os>", "uefi", False),
        ("<os><type>hvm</type><loader type='pflash' secure='yes'>/OVMF</loader></os>", "uefi", True),
        (
            "<os firmware='efi'><firmware><feature enabled='yes' name='enrolled-keys'/>"
            "<feature enabled='yes' name='secure-boot'/></firmware></os>",
            "uefi",
            True,
        ),
        (
            "<os firmware='efi'><firmware><feature enabled='no' name='secure-boot'/></firmware></os>",
            "uefi",
            False,
        ),
        ("", "bios", None),
    ],
)
def test_firmware_and_secure_boot_are_told(os: str, firmware: str, secure: bool | None) -> None:
    fields = config_fields(domain(os), autostart=None)
    assert (fields["firmware"], fields["secure_boot"]) == (firmware, secure)


@pytest.mark.parametrize(("kind", "word"), [("hvm", "hvm"), ("linux", "pv"), ("xenpvh", "pvh"), ("exe", None)])
def test_the_kind_of_virtualization_is_told(kind: str, word: str | None) -> None:
    assert config_fields(domain(f"<os><type>{kind}</type></os>"), autostart=None)["virtualization"] == word


def test_disks_are_told_in_order() -> None:
    root = domain(
        devices="""
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/pool/a&amp;b.qcow2'/>
          <backingStore type='file'><format type='raw'/><source file='/pool/base.img'/></backingStore>
          <target dev='vda' bus='virtio'/><serial>S1</serial><boot order='1'/><shareable/></disk>
        <disk type='volume' device='disk'><source pool='fast' volume='data'/><target dev='sdb' bus='scsi'/><readonly/></disk>
        <disk type='network' device='disk'><source protocol='rbd' name='pool/image'/><target dev='vdc'/></disk>
        <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
        <disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>"""
    )
    first, volume, network, drive, floppy = disks(root)
    assert first == Disk(
        id="vda",
        bus="virtio",
        position=0,
        source="/pool/a&b.qcow2",
        format="qcow2",
        shareable=True,
        boot_order=1,
        serial="S1",
        details={"kvm.type": "file", "kvm.backing": "/pool/base.img"},
    )
    assert (volume.pool, volume.volume, volume.source, volume.readonly) == ("fast", "data", "fast/data", True)
    assert (network.source, network.details["kvm.protocol"]) == ("pool/image", "rbd")
    assert (drive.device, drive.source, drive.readonly) == ("cdrom", None, True)
    assert (floppy.device, floppy.position) == ("floppy", 4)


def test_adapters_are_told_in_order() -> None:
    root = domain(
        devices="""
        <interface type='network'><mac address='52:54:00:AA:BB:CC'/><source network='default'/><model type='virtio'/>
          <link state='down'/><mtu size='9000'/><vlan><tag id='42'/></vlan><target dev='vnet0'/></interface>
        <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>
        <interface type='user'/>"""
    )
    first, bridged, user = nics(root)
    assert first == Nic(
        id="52:54:00:aa:bb:cc",
        mac="52:54:00:aa:bb:cc",
        network="default",
        model="virtio",
        position=0,
        link_up=False,
        vlan=42,
        mtu=9000,
        details={"kvm.type": "network", "kvm.target": "vnet0"},
    )
    assert (bridged.network, bridged.link_up) == ("br0", True)
    assert (user.id, user.network) == ("nic-2", None)


def test_two_adapters_with_one_mac_have_two_ids() -> None:
    same = "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
    assert len({nic.id for nic in nics(domain(devices=same * 3))}) == 3


@pytest.mark.parametrize(
    ("target", "state"),
    [
        ("name='org.qemu.guest_agent.0' state='connected'", "connected"),
        ("name='org.qemu.guest_agent.0' state='disconnected'", "disconnected"),
        ("name='org.qemu.guest_agent.0'", "unknown"),
        ("name='com.redhat.spice.0'", "absent"),
    ],
)
def test_the_agents_port_is_told(target: str, state: str) -> None:
    assert agent_channel(domain(devices=f"<channel type='unix'><target type='virtio' {target}/></channel>")) == state


def test_labels_and_notes_are_told_and_strangers_metadata_left_alone() -> None:
    values = {"tags": ["web", "ünï"], "metadata": {"team.owner": "<b>&</b>"}}
    fields = config_fields(
        domain(
            f"<description>two\nlines &amp; more</description><title>T</title><metadata>"
            f"<a:b xmlns:a='urn:other'>x</a:b>"
            f"<h:labels xmlns:h='{HVSDK_NAMESPACE}'>{escape(json.dumps(values))}</h:labels></metadata>"
        ),
        autostart=None,
    )
    assert fields["tags"] == {"web", "ünï"}
    assert fields["metadata"] == {"team.owner": "<b>&</b>"}
    assert fields["notes"] == "two\nlines & more"
    assert fields["details"]["kvm.title"] == "T"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tags": 1, "metadata": {}}', '{"tags": []}'])
def test_labels_that_somebody_else_wrote_are_none(text: str) -> None:
    fields = config_fields(
        domain(f"<metadata><h:labels xmlns:h='{HVSDK_NAMESPACE}'>{text}</h:labels></metadata>"), autostart=None
    )
    assert (fields["tags"], fields["metadata"]) == (frozenset(), {})


def test_an_empty_domain_is_read() -> None:
    fields = config_fields(parse_xml("<domain/>"), autostart=None)
    assert fields["disks"] == fields["nics"] == ()
    assert fields["vcpus"] is fields["memory_bytes"] is None
