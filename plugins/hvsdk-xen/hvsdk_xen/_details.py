"""What XAPI alone has of a domain, as the keys `xen.…` of `DomainInfo.details`.

==============================  ==================================================================================
key                             value
==============================  ==================================================================================
xen.domain_type                 XAPI's word: `hvm pv pvh pv_in_pvh`
xen.pv_bootloader               program on the host that finds the kernel in the guest's disk, such as `pygrub`
xen.pv_bootloader_args          its arguments
xen.pv_kernel, xen.pv_ramdisk   files on the host that a PV guest boots; then no boot loader is asked
xen.pv_args                     command line of that kernel
xen.pv_legacy_args              more of it, for old guests
xen.hvm_boot_policy             how firmware boots it; empty for PV in versions before 2.10
xen.hvm_boot_order              letters of what firmware tries: `c` disk, `d` CD, `n` network
xen.platform                    flags of the emulated board, as a map
xen.timeoffset                  seconds by which its hardware clock differs from UTC
xen.pv_drivers                  `current outdated absent`; missing while that cannot be seen
xen.pv_drivers_version          such as `9.3.2-58`
xen.vgpus                       virtual and passed-through GPUs: `device`, `type`, `group`
xen.pci_devices                 PCI ids of devices of the host that it has, or is set to have
xen.usb_devices                 names of the groups of USB devices that are passed through
xen.vtpms                       how many virtual TPMs it has
xen.memory_limits               `static_min`, `dynamic_min`, `dynamic_max`, `static_max` in bytes
xen.vcpus_params                weight, cap and mask of the scheduler
xen.on_shutdown … on_crash      what follows: `destroy restart preserve …`
xen.ha_restart_priority         what high availability does with it
xen.start_order, start_delay    its place among those that start with the pool or its appliance
xen.affinity                    name of the node it prefers
xen.hardware_version            version of the board that it was made for
xen.vendor_device               whether Windows is offered drivers through its updates
xen.generation_id               what tells a Windows guest that it was copied or reverted
xen.template                    name of the template it was made from
xen.is_default_template         whether it came with the product
xen.blocked                     operations that somebody blocked, and with what words
xen.requires_reboot             whether settings wait for its next boot
xen.nested_virtualization       whether it runs virtual machines itself, as far as its host saw
xen.cannot_migrate              whether something in it ties it to its host
==============================  ==================================================================================

What is not set is left out.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from hvsdk.driver import FrozenDict

from hvsdk_xen._fields import Record, Related, Sharing, count, mapping, references, text
from hvsdk_xen._guest import drivers_state, drivers_version
from hvsdk_xen._virtualization import domain_type

__all__ = ["RARE", "details", "has_rare"]

RARE = ("vgpu", "vgpu_type", "gpu_group", "pci", "vusb", "usb_group")
"""Classes of what few domains have."""
_TEXTS = {
    "xen.pv_bootloader": "PV_bootloader",
    "xen.pv_bootloader_args": "PV_bootloader_args",
    "xen.pv_kernel": "PV_kernel",
    "xen.pv_ramdisk": "PV_ramdisk",
    "xen.pv_args": "PV_args",
    "xen.pv_legacy_args": "PV_legacy_args",
    "xen.hvm_boot_policy": "HVM_boot_policy",
    "xen.on_shutdown": "actions_after_shutdown",
    "xen.on_reboot": "actions_after_reboot",
    "xen.on_crash": "actions_after_crash",
    "xen.ha_restart_priority": "ha_restart_priority",
    "xen.generation_id": "generation_id",
}
_NUMBERS = {
    "xen.start_order": "order",
    "xen.start_delay": "start_delay",
    "xen.hardware_version": "hardware_platform_version",
}
_FLAGS = {
    "xen.vendor_device": "has_vendor_device",
    "xen.is_default_template": "is_default_template",
    "xen.requires_reboot": "requires_reboot",
}
_LIMITS = ("static_min", "dynamic_min", "dynamic_max", "static_max")


def has_rare(vm: Record) -> bool:
    """Whether a VM has something of the classes `RARE`."""
    return bool(vm.get("VGPUs") or vm.get("attached_PCIs") or vm.get("VUSBs"))


def details(vm: Record, related: Related, sharing: Sharing) -> FrozenDict[str, Any]:
    """Return the details of a domain."""
    get = vm.get
    found: dict[str, Any] = {}
    for key, field in _TEXTS.items():
        value = get(field)
        if value and isinstance(value, str):
            found[key] = intern(value)
    for key, field in _NUMBERS.items():
        if get(field) and (number := count(vm, field)):
            found[key] = number
    for key, field in _FLAGS.items():
        if get(field) is True:
            found[key] = True
    metrics = related.of("vm_metrics", vm, "metrics")
    guest = related.of("vm_guest_metrics", vm, "guest_metrics")
    other, platform = mapping(vm, "other_config"), mapping(vm, "platform")
    limits = {name: size for name in _LIMITS if (size := count(vm, f"memory_{name}")) is not None}
    found |= {
        "xen.domain_type": domain_type(vm, metrics),
        "xen.hvm_boot_order": mapping(vm, "HVM_boot_params").get("order"),
        "xen.timeoffset": platform.pop("timeoffset", None),
        "xen.platform": sharing.mapping(platform) or None,
        "xen.vcpus_params": sharing.mapping(mapping(vm, "VCPUs_params")) or None,
        "xen.memory_limits": sharing.mapping(limits) or None,
        "xen.affinity": text(related.of("host", vm, "affinity"), "name_label"),
        "xen.template": intern(text(vm, "reference_label") or other.get("base_template_name", "")),
        "xen.blocked": sharing.mapping(mapping(vm, "blocked_operations")) or None,
        "xen.nested_virtualization": metrics.get("nested_virt") is True or None,
        "xen.cannot_migrate": metrics.get("nomigrate") is True or None,
        "xen.pv_drivers": drivers_state(vm, guest),
        "xen.pv_drivers_version": drivers_version(guest),
        "xen.vtpms": len(references(vm, "VTPMs")) or None,
        "xen.pci_devices": _pci_devices(vm, other, related),
        "xen.vgpus": _vgpus(vm, related, sharing) if get("VGPUs") else None,
        "xen.usb_devices": _usb_devices(vm, related) if get("VUSBs") else None,
    }
    return sharing.known(found)


def _pci_devices(vm: Record, other: dict[str, str], related: Related) -> tuple[str, ...]:
    """Return the devices that are passed through now, and those that `other_config:pci` asks for at the next start."""
    now = [text(pci, "pci_id") for pci in related.all_of("pci", vm, "attached_PCIs")]
    wanted = [item.rpartition("/")[2].strip() for item in other.get("pci", "").split(",")]
    return tuple(device for device in dict.fromkeys((*now, *wanted)) if device)


def _vgpus(vm: Record, related: Related, sharing: Sharing) -> tuple[FrozenDict[str, Any], ...]:
    found = []
    for vgpu in related.all_of("vgpu", vm, "VGPUs"):
        kind = related.of("vgpu_type", vgpu, "type")
        names = {
            "device": text(vgpu, "device"),
            "type": text(kind, "model_name"),
            "group": text(related.of("gpu_group", vgpu, "GPU_group"), "name_label"),
            "passthrough": text(kind, "implementation") == "passthrough" or None,
        }
        found.append(sharing.known(names))
    return tuple(found)


def _usb_devices(vm: Record, related: Related) -> tuple[str, ...]:
    groups = [related.of("usb_group", vusb, "USB_group") for vusb in related.all_of("vusb", vm, "VUSBs")]
    return tuple(text(group, "name_label") or text(group, "uuid") for group in groups)
