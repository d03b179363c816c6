"""The XML of a new domain, built as a tree."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import attrs
from hvsdk.driver import CpuTopology, DomainSpec, errors

from hvsdk_kvm._labels_xml import Labels, labels_element
from hvsdk_kvm._plan import DiskPlan, NicPlan, Platform
from hvsdk_kvm._xml_devices import disk_element, nic_element, sub
from hvsdk_kvm._xml_ports import add_ports, fix_addresses

__all__ = ["DomainPlan", "domain_element", "set_cpu", "set_topology"]

_SMBIOS = ("manufacturer", "product", "version", "serial", "sku", "family")
_HYPERV = ("relaxed", "vapic", "vpindex", "synic", "stimer", "reset")


@attrs.frozen(kw_only=True)
class DomainPlan:
    """A domain as it will be."""

    spec: DomainSpec
    uuid: str
    platform: Platform
    hints: dict[str, Any]
    """Ours, checked, without `kvm.`."""
    disks: Sequence[DiskPlan] = ()
    nics: Sequence[NicPlan] = ()

    @property
    def windows(self) -> bool:
        """Whether the guest is said to be a Windows."""
        return "windows" in (self.spec.guest_os or "").lower()


def domain_element(plan: DomainPlan) -> ET.Element:
    """Return the `<domain>` of a plan.

    Raises:
        InvalidSpecError: Something in it cannot be on this platform.
    """
    spec, hints, platform = plan.spec, plan.hints, plan.platform
    root = ET.Element("domain", type=platform.domain_type)
    sub(root, "name", spec.name)
    sub(root, "uuid", plan.uuid)
    if spec.notes:
        sub(root, "description", spec.notes)
    labels = labels_element(Labels(spec.tags, spec.metadata))
    if labels is not None:
        sub(root, "metadata").append(labels)
    sub(root, "memory", str(spec.max_memory_bytes or spec.memory_bytes), unit="b")
    sub(root, "currentMemory", str(spec.memory_bytes), unit="b")
    sub(root, "vcpu", str(spec.max_vcpus or spec.vcpus), current=str(spec.vcpus))
    if "cpu_shares" in hints:
        sub(sub(root, "cputune"), "shares", str(hints["cpu_shares"]))
    _add_os(root, plan)
    if platform.domain_type != "test":
        _add_features(root, plan)
        set_cpu(root, _cpu_hints(plan))
    set_topology(root, spec.cpu_topology)
    _add_clock(root, plan)
    for tag, usual in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        sub(root, tag, hints.get(tag, usual))
    _add_devices(root, plan)
    return root


def _add_os(root: ET.Element, plan: DomainPlan) -> None:
    spec, hints, platform = plan.spec, plan.hints, plan.platform
    if spec.smbios:
        _add_sysinfo(root, plan)
    os = sub(root, "os")
    kind = sub(os, "type", "hvm")
    if platform.domain_type != "test":
        kind.set("arch", platform.arch)
    if platform.machine is not None:
        kind.set("machine", platform.machine)
    if spec.firmware == "uefi":
        _add_uefi(os, plan)
    for tag in ("kernel", "initrd", "cmdline"):
        if tag in hints:
            sub(os, tag, hints[tag])
    if root.find("sysinfo") is not None:
        sub(os, "smbios", mode="sysinfo")


def _add_uefi(os: ET.Element, plan: DomainPlan) -> None:
    secure = plan.spec.secure_boot
    if not plan.platform.qemu:
        raise errors.InvalidSpecError(f"firmware='uefi' is not possible on {plan.platform.domain_type} here")
    if secure and not plan.platform.pcie:
        raise errors.InvalidSpecError("secure_boot needs machine='q35'")
    os.set("firmware", "efi")
    firmware = sub(os, "firmware")
    if secure:
        enrolled = plan.hints.get("enrolled_keys", True)
        sub(firmware, "feature", enabled="yes" if enrolled else "no", name="enrolled-keys")
    sub(firmware, "feature", enabled="yes" if secure else "no", name="secure-boot")
    if secure:
        sub(os, "loader", secure="yes")


def _add_sysinfo(root: ET.Element, plan: DomainPlan) -> None:
    if not plan.platform.qemu:
        raise errors.InvalidSpecError(f"smbios cannot be set on {plan.platform.domain_type} here")
    values = dict(plan.spec.smbios)
    if values.pop("uuid", plan.uuid).lower() != plan.uuid:
        raise errors.InvalidSpecError(
            "libvirt shows the guest the domain's own UUID; smbios cannot have another", hint="give it as uuid="
        )
    unknown = sorted(values.keys() - set(_SMBIOS))
    if unknown:
        raise errors.InvalidSpecError(f"smbios has no {unknown[0]!r}", hint=f"it has {', '.join(_SMBIOS)}, uuid")
    system = sub(sub(root, "sysinfo", type="smbios"), "system")
    for name in _SMBIOS:
        if name in values:
            sub(system, "entry", values[name], name=name)


def _add_features(root: ET.Element, plan: DomainPlan) -> None:
    features = sub(root, "features")
    sub(features, "acpi")
    sub(features, "apic")
    if plan.spec.secure_boot:
        sub(features, "smm", state="on")
    if plan.windows and plan.platform.domain_type == "kvm":
        hyperv = sub(features, "hyperv", mode="custom")
        for name in _HYPERV:
            sub(hyperv, name, state="on")
        sub(hyperv, "spinlocks", state="on", retries="8191")


def _cpu_hints(plan: DomainPlan) -> dict[str, Any]:
    usual = {"cpu_mode": "host-model"} if plan.platform.domain_type == "kvm" else {}
    return {**usual, **plan.hints}


def set_cpu(root: ET.Element, hints: dict[str, Any]) -> None:
    """Write `cpu_model` or `cpu_mode` of the hints into the tree; topology and whatever else is kept."""
    mode, model = hints.get("cpu_mode"), hints.get("cpu_model")
    if mode is None and model is None:
        return
    cpu = _cpu(root)
    for old in [*cpu.findall("model"), *cpu.findall("feature"), *cpu.findall("vendor")]:
        cpu.remove(old)
    topology = cpu.findall("topology") + cpu.findall("numa") + cpu.findall("cache") + cpu.findall("maxphysaddr")
    cpu.attrib.clear()
    cpu.set("mode", "custom" if model else str(mode))
    if model:
        cpu.set("match", "exact")
        element = ET.Element("model", fallback="forbid")
        element.text = model
        cpu[:] = [element, *topology]


def set_topology(root: ET.Element, topology: CpuTopology | None) -> None:
    """Write a CPU topology into the tree in place of what it had."""
    if topology is None:
        return
    cpu = _cpu(root)
    for old in cpu.findall("topology"):
        cpu.remove(old)
    sub(
        cpu,
        "topology",
        sockets=str(topology.sockets),
        cores=str(topology.cores),
        threads=str(topology.threads),
    )


def _cpu(root: ET.Element) -> ET.Element:
    cpu = root.find("cpu")
    return sub(root, "cpu") if cpu is None else cpu


def _add_clock(root: ET.Element, plan: DomainPlan) -> None:
    offset = plan.spec.clock
    if isinstance(offset, int):
        clock = sub(root, "clock", offset="variable", adjustment=str(offset), basis="utc")
    else:
        clock = sub(root, "clock", offset=offset)
    if plan.platform.qemu and plan.platform.arch in ("x86_64", "i686"):
        sub(clock, "timer", name="rtc", tickpolicy="catchup")
        sub(clock, "timer", name="pit", tickpolicy="delay")
        sub(clock, "timer", name="hpet", present="no")
        if plan.windows and plan.platform.domain_type == "kvm":
            sub(clock, "timer", name="hypervclock", present="yes")


def _add_devices(root: ET.Element, plan: DomainPlan) -> None:
    devices = sub(root, "devices")
    for disk in plan.disks:
        devices.append(disk_element(disk, plan.platform))
    for nic in plan.nics:
        devices.append(nic_element(nic))
    if plan.platform.qemu:
        if any(disk.bus == "scsi" for disk in plan.disks) or plan.hints.get("virtio_scsi"):
            sub(devices, "controller", type="scsi", index="0", model="virtio-scsi")
        _add_serial(devices, plan.hints.get("serial_file"))
        _add_helpers(devices, plan.hints)
        _add_screen(devices, plan.hints)
        if plan.spec.pci_order:
            fix_addresses(devices, plan.platform)
        add_ports(devices, plan.platform, spare=plan.hints.get("spare_ports", 4))


def _add_serial(devices: ET.Element, file: str | None) -> None:
    serial = sub(devices, "serial", type="pty" if file is None else "file")
    if file is not None:
        sub(serial, "source", path=file, append="on")
    sub(serial, "target", port="0")


def _add_helpers(devices: ET.Element, hints: dict[str, Any]) -> None:
    if hints.get("agent", True):
        channel = sub(devices, "channel", type="unix")
        sub(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    if hints.get("rng", True):
        rng = sub(devices, "rng", model="virtio")
        sub(rng, "backend", "/dev/urandom", model="random")
    sub(devices, "memballoon", model="virtio" if hints.get("balloon", True) else "none")
    if "tpm" in hints:
        tpm = sub(devices, "tpm", model="tpm-crb" if hints["tpm"] == "2.0" else "tpm-tis")
        sub(tpm, "backend", type="emulator", version=hints["tpm"])


def _add_screen(devices: ET.Element, hints: dict[str, Any]) -> None:
    if hints.get("graphics", "vnc") == "vnc":
        sub(devices, "graphics", type="vnc", autoport="yes", listen="127.0.0.1")
    sub(sub(devices, "video"), "model", type=hints.get("video", "vga"))
