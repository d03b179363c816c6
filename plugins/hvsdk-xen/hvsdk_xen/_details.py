"""What XAPI alone has of a domain, as the keys `xen.…` of `DomainInfo.details`. The page of this backend documents them."""

from __future__ import annotations

from sys import intern
from typing import Any

from hvsdk.driver import FrozenDict

from hvsdk_xen._fields import Record, Related, Sharing, count, entry, mapping, references, text
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
        "xen.hvm_boot_order": entry(vm, "HVM_boot_params", "order"),
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
