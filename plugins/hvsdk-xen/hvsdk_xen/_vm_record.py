"""From a specification to the fields of a VM. No I/O.

Only fields that every server of API 2.0 and later knows are written; what came later has a default that fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hvsdk.driver import CpuTopology, DiskSpec, DomainSpec, errors

from hvsdk_xen._labels import AUTO_POWERON, METADATA_PREFIX

__all__ = [
    "CORES",
    "bios_strings",
    "boot_order",
    "boot_params",
    "check_topology",
    "check_wishes",
    "labels_config",
    "memory_limits",
    "platform_changes",
    "vcpu_params",
    "vm_record",
]

MIB = 1 << 20
CORES = "cores-per-socket"
MOST_NICS = 7
_PLATFORM = {
    "acpi": "1",
    "apic": "true",
    "pae": "true",
    "nx": "true",
    "hpet": "true",
    "viridian": "false",
    "device_id": "0001",
    "vga": "std",
    "videoram": "8",
    "timeoffset": "0",
}
_WINDOWS = {
    "device_id": "0002",
    "viridian": "true",
    "viridian_time_ref_count": "true",
    "viridian_reference_tsc": "true",
}
_UEFI = {"device-model": "qemu-upstream-uefi"}
_BIOS_STRINGS = {
    "manufacturer": "system-manufacturer",
    "product": "system-product-name",
    "version": "system-version",
    "serial": "system-serial-number",
}


def check_wishes(spec: DomainSpec) -> None:
    """Refuse what XAPI has no way to do.

    Raises:
        InvalidSpecError: It says which wish, and what is possible.
    """
    if spec.machine not in (None, "pc"):
        raise errors.InvalidSpecError(
            f"there is no board {spec.machine!r} here", hint="all are a 'pc'; leave machine= out"
        )
    if spec.clock == "localtime":
        raise errors.InvalidSpecError(
            "XAPI keeps clocks by their offset, and knows no local time", hint="clock= the offset to UTC in seconds"
        )
    unknown = sorted(spec.smbios.keys() - _BIOS_STRINGS.keys())
    if unknown:
        raise errors.InvalidSpecError(
            f"XAPI sets no {unknown[0]!r} in the guest's SMBIOS", hint=f"possible: {', '.join(_BIOS_STRINGS)}"
        )
    if len(spec.nics) > MOST_NICS:
        raise errors.InvalidSpecError(f"a domain can have {MOST_NICS} adapters at most, not {len(spec.nics)}")
    if spec.cpu_topology is not None:
        check_topology(spec.cpu_topology)


def check_topology(topology: CpuTopology) -> None:
    """Refuse threads, which XAPI does not show to a guest."""
    if topology.threads != 1:
        raise errors.InvalidSpecError("XAPI lays vCPUs out in sockets and cores only", hint="threads=1")


def vm_record(spec: DomainSpec, hints: Mapping[str, Any], order: str, affinity: str) -> dict[str, Any]:
    """Return the record for VM.create.

    Args:
        order: Letters of what is booted from, in order.
        affinity: Reference of the node it starts on where there is a choice, or `NULL`.
    """
    static_min, static_max, dynamic_min, dynamic_max = memory_limits(spec, hints)
    return {
        "name_label": spec.name,
        "name_description": spec.notes,
        "user_version": 1,
        "is_a_template": False,
        "affinity": affinity,
        "memory_static_min": static_min,
        "memory_static_max": static_max,
        "memory_dynamic_min": dynamic_min,
        "memory_dynamic_max": dynamic_max,
        "VCPUs_params": vcpu_params(hints),
        "VCPUs_max": spec.max_vcpus or spec.vcpus,
        "VCPUs_at_startup": spec.vcpus,
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        **dict.fromkeys(("PV_bootloader", "PV_kernel", "PV_ramdisk", "PV_args"), ""),
        **dict.fromkeys(("PV_bootloader_args", "PV_legacy_args", "PCI_bus", "recommendations"), ""),
        "HVM_boot_policy": "BIOS order",
        "HVM_boot_params": boot_params(spec, order),
        "platform": _PLATFORM | platform_changes(spec, hints),
        "other_config": labels_config(spec),
        "tags": sorted(spec.tags),
    }


def memory_limits(spec: DomainSpec, hints: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Return static_min, static_max, dynamic_min and dynamic_max."""
    dynamic_min = hints.get("memory_dynamic_min", spec.memory_bytes)
    if dynamic_min > spec.memory_bytes:
        raise errors.InvalidSpecError("xen.memory_dynamic_min is more than memory")
    most = spec.max_memory_bytes or spec.memory_bytes
    return min(dynamic_min, 256 * MIB), most, dynamic_min, spec.memory_bytes


def vcpu_params(hints: Mapping[str, Any]) -> dict[str, str]:
    """Return the weight and cap that were asked for."""
    names = {"cpu_weight": "weight", "cpu_cap": "cap"}
    return {names[key]: str(value) for key, value in hints.items() if key in names}


def boot_params(spec: DomainSpec, order: str) -> dict[str, str]:
    """Return how firmware boots it; servers that know no UEFI know no word for the other kind either."""
    return {"order": order} | ({"firmware": "uefi"} if spec.firmware == "uefi" else {})


def platform_changes(spec: DomainSpec, hints: Mapping[str, Any]) -> dict[str, str]:
    """Return what the specification says about the emulated machine, beside what is usual."""
    changes: dict[str, str] = {}
    if spec.guest_os == "windows":
        changes |= _WINDOWS
    if spec.firmware == "uefi":
        changes |= _UEFI | {"secureboot": "true" if spec.secure_boot else "false"}
    if spec.cpu_topology is not None:
        changes[CORES] = str(spec.cpu_topology.cores)
    if isinstance(spec.clock, int):
        changes["timeoffset"] = str(spec.clock)
    if "vga" in hints:
        changes["vga"] = hints["vga"]
    if "viridian" in hints:
        changes["viridian"] = str(hints["viridian"]).lower()
    if hints.get("nested"):
        changes |= {"exp-nested-hvm": "true", "nested-virt": "true"}
    return changes


def labels_config(spec: DomainSpec) -> dict[str, str]:
    """Return the entries of `other_config` for metadata and autostart."""
    entries = {METADATA_PREFIX + key: value for key, value in spec.metadata.items()}
    return entries | ({AUTO_POWERON: "true"} if spec.autostart else {})


def bios_strings(spec: DomainSpec) -> dict[str, str]:
    """Return what the guest reads in its SMBIOS, under XAPI's names."""
    return {_BIOS_STRINGS[key]: value for key, value in spec.smbios.items()}


def boot_order(disks: Sequence[DiskSpec]) -> str:
    """Return the letters of what is booted from: disks, then drives, then the network, where nothing else is said.

    Raises:
        InvalidSpecError: It asks for what firmware here cannot: it boots from the first disk and the first drive only.
    """
    orders = sorted((disk.boot_order, number) for number, disk in enumerate(disks) if disk.boot_order is not None)
    if not orders:
        return "cdn"
    letters = ""
    for _, number in orders:
        device = disks[number].device
        letter = "d" if device == "cdrom" else "c"
        first = next(n for n, disk in enumerate(disks) if disk.device == device)
        if letter in letters:
            continue  # a further one of the same kind comes into play through the guest's own boot loader
        if number != first:
            raise errors.InvalidSpecError(
                f"only the first {'drive' if letter == 'd' else 'disk'} can be booted from here",
                hint="put the one to boot from first in disks=",
            )
        letters += letter
    return letters
