"""From a specification to what will be there: buses, names of disks, kinds of adapters. No I/O, and no XML yet."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence

import attrs
from hvsdk.driver import DiskSpec, NicSpec, VolumeInfo, errors

__all__ = ["DiskPlan", "NicPlan", "Platform", "check_domain_name", "free_target", "new_mac", "plan_buses"]

_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "xen": "xvd", "fdc": "fd"}
_MANY = 8
"""With more disks than this they go on virtio-scsi: each virtio disk takes a PCI slot."""
_IDE_MAX = 4


@attrs.frozen(kw_only=True)
class Platform:
    """What domains are made for."""

    domain_type: str
    """libvirt's word: `kvm qemu xen test`."""
    arch: str = "x86_64"
    machine: str | None = None

    @property
    def qemu(self) -> bool:
        """Whether QEMU runs them."""
        return self.domain_type in ("kvm", "qemu")

    @property
    def pcie(self) -> bool:
        """Whether devices sit behind PCI Express root ports, so that some must be there for hot plug."""
        return self.qemu and self.machine is not None and "q35" in self.machine

    def buses(self, device: str) -> tuple[str, ...]:
        """Return the buses that a disk or CD-ROM drive can be on; the first is the usual one."""
        if self.domain_type == "xen":
            return ("xen", "ide", "scsi") if device == "disk" else ("ide", "xen")
        if self.pcie:
            return ("virtio", "scsi", "sata", "usb") if device == "disk" else ("sata", "scsi", "usb")
        if device == "disk":
            return ("virtio", "scsi", "ide", "sata", "usb")
        return ("ide", "sata", "scsi", "usb")


@attrs.frozen(kw_only=True)
class DiskPlan:
    """A disk or drive as it will be."""

    spec: DiskSpec
    bus: str
    target: str
    """Its id: `vda`."""
    volume: VolumeInfo | None = None
    """What is in it; `None` for an empty drive."""
    boot_order: int | None = None


@attrs.frozen(kw_only=True)
class NicPlan:
    """An adapter as it will be."""

    spec: NicSpec
    kind: str
    """`network bridge user`."""
    source: str | None
    mac: str
    model: str | None


def plan_buses(
    disks: Sequence[DiskSpec], platform: Platform, *, windows: bool = False, scsi: bool = False
) -> list[tuple[str, str]]:
    """Return (bus, target) of each disk, in order.

    A new disk of a Windows guest goes on SATA, since Windows brings no driver for virtio.

    Raises:
        InvalidSpecError: A bus that was asked for is not there, or has no more room.
    """
    loose = sum(disk.device == "disk" and disk.bus is None for disk in disks)
    usual = "sata" if windows and platform.qemu else "scsi" if platform.qemu and (scsi or loose > _MANY) else None
    planned: list[tuple[str, str]] = []
    for disk in disks:
        choices = platform.buses(disk.device)
        bus = disk.bus or (usual if disk.device == "disk" and usual else choices[0])
        if bus not in choices:
            raise errors.InvalidSpecError(
                f"a {disk.device} cannot be on the bus {bus!r} here", hint=f"possible: {', '.join(choices)}"
            )
        planned.append((bus, free_target(bus, [target for _, target in planned])))
    if sum(bus == "ide" for bus, _ in planned) > _IDE_MAX:
        raise errors.InvalidSpecError(f"at most {_IDE_MAX} disks and drives can be on IDE")
    return planned


def free_target(bus: str, taken: Iterable[str]) -> str:
    """Return the first name of a disk on a bus that is not taken."""
    prefix, used = _PREFIXES[bus], set(taken)
    number = 0
    while (name := prefix + _letters(number)) in used:
        number += 1
    return name


def _letters(number: int) -> str:
    """Return `a` to `z`, then `aa` and so on."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def new_mac(taken: Iterable[str] = ()) -> str:
    """Return a MAC address with QEMU's prefix."""
    used = set(taken)
    while (mac := "52:54:00:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))) in used:
        continue
    return mac


def check_domain_name(name: str) -> str:
    """Return `name` if libvirt can hold it.

    Raises:
        InvalidSpecError: It has a newline, control character or slash, or is too long for the name of a file.
    """
    if "/" in name or re.search(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", name):
        raise errors.InvalidSpecError(
            f"libvirt cannot hold the name {name!r}", hint="no '/', no newline or other control character"
        )
    if len(name.encode()) > 240:
        raise errors.InvalidSpecError(
            f"libvirt cannot hold a name of {len(name.encode())} bytes; 240 are possible: {name!r}"
        )
    return name
