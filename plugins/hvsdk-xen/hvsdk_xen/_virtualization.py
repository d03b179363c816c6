"""How a VM is run and booted, from the fields of old and of new versions of XAPI."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hvsdk_xen._fields import Record, Related, entry, text
from hvsdk_xen._guest import drivers_detected

__all__ = ["Virtualization", "domain_type", "firmware", "secure_boot", "virtualization"]

Virtualization: TypeAlias = Literal["hvm", "pv", "pvh", "pvhvm"]

_KNOWN = frozenset(("hvm", "pv", "pvh", "pv_in_pvh"))


def domain_type(vm: Record, metrics: Record) -> str | None:
    """Return XAPI's word for how a VM runs: `hvm`, `pv`, `pvh` or `pv_in_pvh`.

    Before API 2.10 there is none; then a VM with a policy for booting by firmware is one with hardware virtualization.

    Args:
        metrics: Of the VM; what it runs as now counts where it is not set what it is to run as.
    """
    for told in (text(vm, "domain_type"), text(metrics, "current_domain_type")):
        if told.lower() in _KNOWN:
            return told.lower()
    if text(vm, "HVM_boot_policy"):
        return "hvm"
    if any(text(vm, field) for field in ("PV_kernel", "PV_bootloader")):
        return "pv"
    return "hvm" if metrics.get("hvm") is True else None


def virtualization(vm: Record, related: Related) -> Virtualization | None:
    """Return how a VM runs. A PV guest in a PVH container sees itself as PV; PVHVM is HVM whose PV drivers are at work."""
    kind = domain_type(vm, related.of("vm_metrics", vm, "metrics"))
    if kind == "pv_in_pvh" or kind == "pv":
        return "pv"
    if kind == "pvh":
        return "pvh"
    if kind != "hvm":
        return None
    awake = text(vm, "power_state") in ("Running", "Paused")
    return "pvhvm" if awake and drivers_detected(related.of("vm_guest_metrics", vm, "guest_metrics")) else "hvm"


def firmware(vm: Record, *, hvm: bool) -> Literal["bios", "uefi"] | None:
    """Return what boots a VM; one with a boot loader of its host's has no firmware."""
    if not hvm:
        return None
    return "uefi" if entry(vm, "HVM_boot_params", "firmware").lower() == "uefi" else "bios"


def secure_boot(vm: Record, *, hvm: bool) -> bool | None:
    """Return whether only signed systems boot; `None` for BIOS, and where the pool's certificates decide."""
    if firmware(vm, hvm=hvm) != "uefi":
        return None
    told = entry(vm, "platform", "secureboot").lower()
    return None if told == "auto" else told in ("true", "1")
