"""From a specification to a virtual machine's configuration, but for its devices. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hvsdk.driver import CpuTopology, DomainSpec, errors
from pyVmomi import vim

from hvsdk_vmware._extra_config import METADATA_PREFIX, write_value
from hvsdk_vmware._names import written

__all__ = ["MIB", "allocation", "check_topology", "config_spec", "memory_mib"]

MIB = 1 << 20
_STEP = 4 * MIB
_GUESTS = {"linux": "otherLinux64Guest", "windows": "windows9Server64Guest", None: "otherGuest64"}
_CLOCK = "rtc.diffFromUTC"
_VERSION = re.compile(r"vmx-\d{1,3}", re.ASCII)


def config_spec(spec: DomainSpec, hints: Mapping[str, Any], uuid: str, store_name: str) -> vim.vm.ConfigSpec:
    """Return the configuration.

    Args:
        uuid: vSphere's own UUID of the new domain.
        store_name: Datastore of its directory, as the server writes it; the server names the directory.

    Raises:
        InvalidSpecError: It asks for what vSphere has no way to do; it says for what.
    """
    _check_wishes(spec)
    topology = spec.cpu_topology
    if topology is not None:
        check_topology(topology, spec.vcpus)
    more = spec.max_vcpus is not None and spec.max_vcpus > spec.vcpus
    grows = spec.max_memory_bytes is not None and spec.max_memory_bytes > spec.memory_bytes
    return vim.vm.ConfigSpec(
        name=written(spec.name),
        files=vim.vm.FileInfo(vmPathName=f"[{store_name}]"),
        guestId=hints.get("guest_id") or _GUESTS.get(spec.guest_os, spec.guest_os),
        version=_version(hints.get("hardware_version")),
        instanceUuid=uuid,
        uuid=_guest_uuid(spec.smbios.get("uuid")) or spec.uuid,
        numCPUs=spec.vcpus,
        numCoresPerSocket=topology.cores if topology is not None else None,
        memoryMB=memory_mib(spec.memory_bytes),
        cpuHotAddEnabled=hints.get("cpu_hot_add", more),
        memoryHotAddEnabled=hints.get("memory_hot_add", grows),
        firmware="efi" if spec.firmware == "uefi" else "bios",
        bootOptions=vim.vm.BootOptions(efiSecureBootEnabled=True) if spec.secure_boot else None,
        nestedHVEnabled=hints.get("nested"),
        changeTrackingEnabled=hints.get("change_tracking"),
        annotation=spec.notes or None,
        extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in _entries(spec, hints).items()],
        cpuAllocation=allocation(hints, "cpu", "mhz"),
        memoryAllocation=allocation(hints, "memory", "mib"),
    )


def memory_mib(size: int) -> int:
    """Return memory in MiB, in which vSphere counts.

    Raises:
        InvalidSpecError: It is no multiple of 4 MiB.
    """
    if size % _STEP:
        below = size // _STEP * 4
        raise errors.InvalidSpecError(
            f"vSphere gives memory in steps of 4 MiB, and {size} bytes are none", hint=f"{below} or {below + 4} MiB"
        )
    return size // MIB


def check_topology(topology: CpuTopology, vcpus: int) -> None:
    """Refuse what vSphere has no such sockets for."""
    if topology.threads != 1:
        raise errors.InvalidSpecError("vSphere lays vCPUs out in sockets and cores only", hint="threads=1")
    if vcpus % topology.cores:
        raise errors.InvalidSpecError(
            f"{vcpus} vCPUs make no whole sockets of {topology.cores} cores", hint="choose vcpus= as a multiple of it"
        )


def allocation(hints: Mapping[str, Any], what: str, unit: str) -> vim.ResourceAllocationInfo | None:
    """Return how the host's resources are shared out, `None` where nothing is said about it."""
    shares, limit = hints.get(f"{what}_shares"), hints.get(f"{what}_limit_{unit}")
    reservation = hints.get(f"{what}_reservation_{unit}")
    if shares is None and limit is None and reservation is None:
        return None
    return vim.ResourceAllocationInfo(
        shares=vim.SharesInfo(level="custom", shares=shares) if shares is not None else None,
        limit=(limit or -1) if limit is not None else None,
        reservation=reservation,
    )


def _check_wishes(spec: DomainSpec) -> None:
    if spec.machine is not None:
        raise errors.InvalidSpecError(
            f"there is no choice of boards here, so that {spec.machine!r} cannot be had", hint="leave machine= out"
        )
    if spec.clock == "localtime":
        raise errors.InvalidSpecError(
            "vSphere keeps clocks by their offset, and knows no local time", hint="clock= the offset to UTC in seconds"
        )
    unknown = sorted(spec.smbios.keys() - {"uuid"})
    if unknown:
        raise errors.InvalidSpecError(
            f"vSphere sets no {unknown[0]!r} in the guest's SMBIOS, only its UUID", hint="leave it out of smbios="
        )


def _guest_uuid(told: str | None) -> str | None:
    try:
        return str(UUID(told)) if told is not None else None
    except ValueError:
        raise errors.InvalidSpecError(f"smbios uuid is a UUID, not {told!r}") from None


def _version(told: str | None) -> str | None:
    if told is not None and not _VERSION.fullmatch(told):
        raise errors.InvalidSpecError(f"vmware.hardware_version cannot be {told!r}", hint="it is written as vmx-19")
    return told


def _entries(spec: DomainSpec, hints: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = dict(hints.get("extra_config", {}))
    ours = next((key for key in found if key.lower().startswith("hvsdk")), None)
    if ours is not None:
        raise errors.InvalidSpecError(f"vmware.extra_config cannot set {ours!r}: that is for hvsdk itself")
    found |= {METADATA_PREFIX + key: write_value(value) for key, value in spec.metadata.items()}
    if isinstance(spec.clock, int) and spec.clock:
        found[_CLOCK] = str(spec.clock)
    return found
