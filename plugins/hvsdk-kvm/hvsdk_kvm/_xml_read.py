"""A domain's XML as the fields of a record."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from sys import intern
from typing import Any, Literal

from hvsdk.driver import CpuTopology, Disk, FrozenDict, Nic, frozen, read_marks

from hvsdk_kvm._labels_xml import read_labels

__all__ = ["agent_channel", "config_fields", "disks", "memory_bytes", "nics"]

_UNITS = {
    "b": 1,
    "bytes": 1,
    "KB": 10**3,
    "k": 2**10,
    "KiB": 2**10,
    "MB": 10**6,
    "M": 2**20,
    "MiB": 2**20,
    "GB": 10**9,
    "G": 2**30,
    "GiB": 2**30,
    "TB": 10**12,
    "T": 2**40,
    "TiB": 2**40,
}
_SOURCES = ("file", "dev", "dir", "name", "volume")
AGENT_CHANNEL = "org.qemu.guest_agent.0"


def config_fields(root: ET.Element, *, autostart: bool | None) -> dict[str, Any]:
    """Return the fields of the group `config`, and `vcpus` and `memory_bytes`, ready for `domain_info_maker`."""
    labels = read_labels(root)
    metadata = frozen(labels.metadata)
    memory = memory_bytes(root.find("currentMemory"))
    most = memory_bytes(root.find("memory"))
    vcpus, max_vcpus = _vcpus(root)
    firmware, secure_boot = _firmware(root)
    return {
        "vcpus": vcpus,
        "memory_bytes": most if memory is None else memory,
        "folder": None,
        "max_vcpus": max_vcpus,
        "cpu_topology": _topology(root),
        "max_memory_bytes": memory_bytes(root.find("maxMemory")) or most,
        "disks": disks(root),
        "nics": nics(root),
        "firmware": firmware,
        "secure_boot": secure_boot,
        "virtualization": _virtualization(root),
        "autostart": autostart,
        "tags": labels.tags,
        "notes": root.findtext("description") or "",
        "metadata": metadata,
        **read_marks(metadata),
        "created_at": None,
        "started_at": None,
        "details": _details(root),
    }


def memory_bytes(element: ET.Element | None) -> int | None:
    """Return a size such as `<memory unit='KiB'>`, `None` where it is not there or no number."""
    if element is None:
        return None
    number = _int(element.text)
    unit = _UNITS.get(element.get("unit", "KiB"))
    return number * unit if number is not None and unit is not None else None


def disks(root: ET.Element) -> tuple[Disk, ...]:
    """Return the disks and drives in the order in which the XML has them; ids are their targets, such as `vda`."""
    return tuple(
        _disk(element, position)
        for position, element in enumerate(root.iterfind("devices/disk"))
        if element.get("device", "disk") in ("disk", "cdrom", "floppy", "lun")
    )


def nics(root: ET.Element) -> tuple[Nic, ...]:
    """Return the network adapters; ids are their MACs, which libvirt requires to address one."""
    found: list[Nic] = []
    seen: dict[str, int] = {}
    for position, element in enumerate(root.iterfind("devices/interface")):
        nic = _nic(element, position)
        count = seen[nic.id] = seen.get(nic.id, 0) + 1
        found.append(nic if count == 1 else nic.replace(id=f"{nic.id}#{count}"))
    return tuple(found)


def agent_channel(root: ET.Element) -> Literal["connected", "disconnected", "unknown", "absent"]:
    """Tell whether the domain has the port of the guest agent, and whether the guest has it open."""
    for target in root.iterfind("devices/channel/target"):
        if target.get("name") == AGENT_CHANNEL:
            state = target.get("state")
            return "connected" if state == "connected" else "disconnected" if state == "disconnected" else "unknown"
    return "absent"


def _vcpus(root: ET.Element) -> tuple[int | None, int | None]:
    element = root.find("vcpu")
    if element is None:
        return None, None
    most = _int(element.text)
    current = _int(element.get("current"))
    return (most if current is None else current), most


def _topology(root: ET.Element) -> CpuTopology | None:
    element = root.find("cpu/topology")
    if element is None:
        return None
    # Dies lie between sockets and cores; the guest's operating system counts their cores together.
    sockets, dies, cores, threads = (_int(element.get(name)) or 1 for name in ("sockets", "dies", "cores", "threads"))
    return CpuTopology(sockets=sockets, cores=dies * cores, threads=threads)


def _firmware(root: ET.Element) -> tuple[Literal["bios", "uefi"], bool | None]:
    os = root.find("os")
    loader = os.find("loader") if os is not None else None
    if os is None or (os.get("firmware") != "efi" and (loader is None or loader.get("type") != "pflash")):
        return "bios", None
    enrolled = any(
        feature.get("name") == "enrolled-keys" and feature.get("enabled") == "yes"
        for feature in os.iterfind("firmware/feature")
    )
    secure = loader is not None and loader.get("secure") == "yes"
    wanted = os.find("firmware/feature[@name='secure-boot']")
    refused = wanted is not None and wanted.get("enabled") == "no"
    return "uefi", not refused and (secure or enrolled)


def _virtualization(root: ET.Element) -> Literal["hvm", "pv", "pvh"] | None:
    kind = (root.findtext("os/type") or "").strip()
    if kind in ("linux", "xen"):
        return "pv"
    if kind == "xenpvh":
        return "pvh"
    return "hvm" if kind == "hvm" else None


def _disk(element: ET.Element, position: int) -> Disk:
    target = element.find("target")
    driver = element.find("driver")
    source = element.find("source")
    boot = element.find("boot")
    device = element.get("device", "disk")
    volume = element.get("type") == "volume" and source is not None
    return Disk(
        id=_word(target, "dev") or f"disk-{position}",
        device="cdrom" if device == "cdrom" else "floppy" if device == "floppy" else "disk",
        bus=_word(target, "bus"),
        position=position,
        source=_source(source),
        pool=_word(source, "pool") if volume else None,
        volume=_get(source, "volume") if volume else None,
        format=_word(driver, "type"),
        readonly=element.find("readonly") is not None or device == "cdrom",
        shareable=element.find("shareable") is not None,
        boot_order=_int(_get(boot, "order")),
        serial=element.findtext("serial"),
        details=_known(
            {
                "kvm.type": _word(element, "type"),
                "kvm.alias": _word(element.find("alias"), "name"),
                "kvm.backing": _source(element.find("backingStore/source")),
                "kvm.protocol": _word(source, "protocol"),
            }
        ),
    )


def _source(source: ET.Element | None) -> str | None:
    if source is None:
        return None
    if source.get("pool") and source.get("volume"):
        return f"{source.get('pool')}/{source.get('volume')}"
    return next((value for name in _SOURCES if (value := source.get(name))), None)


def _nic(element: ET.Element, position: int) -> Nic:
    source = element.find("source")
    mac = (_get(element.find("mac"), "address") or "").lower() or None
    link = element.find("link")
    return Nic(
        id=mac or f"nic-{position}",
        mac=mac,
        network=_word(source, "network") or _word(source, "bridge") or _word(source, "dev"),
        model=_word(element.find("model"), "type"),
        position=position,
        link_up=_get(link, "state") != "down",
        vlan=_int(_get(element.find("vlan/tag"), "id")),
        mtu=_int(_get(element.find("mtu"), "size")),
        details=_known(
            {
                "kvm.type": _word(element, "type"),
                "kvm.alias": _word(element.find("alias"), "name"),
                "kvm.target": _get(element.find("target"), "dev"),
                "kvm.bridge": _word(source, "bridge"),
                "kvm.portgroup": _word(source, "portgroup"),
            }
        ),
    )


def _details(root: ET.Element) -> FrozenDict[str, Any]:
    kind = root.find("os/type")
    cpu = root.find("cpu")
    return _known(
        {
            "kvm.type": _word(root, "type"),
            "kvm.arch": _word(kind, "arch"),
            "kvm.machine": _word(kind, "machine"),
            "kvm.emulator": root.findtext("devices/emulator"),
            "kvm.title": root.findtext("title"),
            "kvm.cpu_mode": _word(cpu, "mode"),
            "kvm.cpu_model": root.findtext("cpu/model"),
            "kvm.clock": _word(root.find("clock"), "offset"),
            "kvm.graphics": [t for g in root.iterfind("devices/graphics") if (t := g.get("type"))] or None,
            "kvm.video": _word(root.find("devices/video/model"), "type"),
            "kvm.tpm": _word(root.find("devices/tpm"), "model"),
            "kvm.agent_channel": agent_channel(root) != "absent" or None,
            "kvm.hostdevs": len(root.findall("devices/hostdev")) or None,
            "kvm.generation_id": root.findtext("genid"),
        }
    )


def _known(values: dict[str, Any]) -> FrozenDict[str, Any]:
    return frozen({key: value for key, value in values.items() if value is not None})


def _get(element: ET.Element | None, name: str) -> str | None:
    return None if element is None else element.get(name)


def _word(element: ET.Element | None, name: str) -> str | None:
    """Return an attribute that has the same few values in all domains: each of them is kept in memory once."""
    value = _get(element, name)
    return None if value is None else intern(value)


def _int(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
