"""Making domains: one script makes all of it, and takes back what it made when anything fails."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hvsdk.cloud_init import seed_image
from hvsdk.driver import (
    Deadline,
    DiskSpec,
    DomainInfo,
    DomainSpec,
    Hint,
    NicSpec,
    Task,
    boot_places,
    errors,
    read_hints,
)

from hvsdk_hyperv._adapters import nic_arguments
from hvsdk_hyperv._drives import disk_wish
from hvsdk_hyperv._labels import LabelVerbs, wrong_name
from hvsdk_hyperv._notes import Notes
from hvsdk_hyperv._paths import pool_path

__all__ = ["DOMAIN_HINTS", "CreateVerbs", "memory_size"]

TEMPLATES: Final = ("MicrosoftWindows", "MicrosoftUEFICertificateAuthority", "OpenSourceShieldedVM")
DOMAIN_HINTS: Final[Mapping[str, Hint]] = {
    "hyperv.path": Hint("folder on the host in which a folder for its configuration is made"),
    "hyperv.version": Hint("configuration version, such as 9.0, for hosts that are older than this one"),
    "hyperv.secure_boot_template": Hint("whose systems boot with secure_boot", choices=TEMPLATES),
    "hyperv.memory_minimum": Hint("bytes that dynamic memory may shrink to", int, least=1),
    "hyperv.memory_maximum": Hint("bytes that dynamic memory may grow to", int, least=1),
    "hyperv.checkpoint_type": Hint(
        "of which kind checkpoints of other tools become",
        choices=("Disabled", "Production", "ProductionOnly", "Standard"),
    ),
    "hyperv.nested": Hint("whether it can run virtual machines itself", bool),
}
"""`DomainSpec.hints`."""
_STEP: Final = 2 << 20
_LEAST_MEMORY: Final = 32 << 20
_FAMILIES: Final = {"windows": "MicrosoftWindows", "linux": "MicrosoftUEFICertificateAuthority"}


class CreateVerbs(LabelVerbs):
    """`create_domain`."""

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> Task[DomainInfo]:
        """Make a domain: of generation 1 for `bios`, of generation 2 for `uefi`.

        Disks are on SCSI, but for the first one of generation 1, which boots from IDE only.
        """
        _refuse(spec)
        return self.begin("create.make", _arguments(spec), deadline=deadline, result=self.domain_info)


def memory_size(size: int, what: str) -> int:
    """Return an amount of memory that Hyper-V can give.

    Raises:
        InvalidSpecError: It cannot.
    """
    if size % _STEP or size < _LEAST_MEMORY:
        raise errors.InvalidSpecError(
            f"Hyper-V gives memory in steps of 2 MiB, from 32 MiB on; {what} is {size} bytes",
            hint=f"the next one is {max(_LEAST_MEMORY, -(-size // _STEP) * _STEP)}",
        )
    return size


def _refuse(spec: DomainSpec) -> None:
    """Refuse what Hyper-V cannot give a domain, rather than leave it out."""
    wrong = {
        "template": spec.template is not None and "it has no templates: clone() a domain that is off",
        "max_vcpus": spec.max_vcpus not in (None, spec.vcpus) and "no vCPU is plugged while a domain runs",
        "max_memory": spec.max_memory_bytes not in (None, spec.memory_bytes)
        and "memory that grows by itself is hints={'hyperv.memory_maximum': …}; static memory can grow anyway",
        "cpu_topology": spec.cpu_topology is not None and "the guest sees what the host's NUMA nodes make of it",
        "clock": spec.clock != "utc" and "the guest's clock is set by the host's own rules",
        "machine": spec.machine is not None and "there is no choice of boards: firmware decides the generation",
        "smbios": bool(spec.smbios) and "what the guest reads there is made by the host",
        "guest_os": spec.guest_os not in (None, *_FAMILIES) and "it knows windows and linux",
        "name": wrong_name(spec.name),
    }
    for name, why in wrong.items():
        if why:
            raise errors.InvalidSpecError(f"Hyper-V cannot have {name}= as asked for: {why}")


def _arguments(spec: DomainSpec) -> dict[str, Any]:
    hints = read_hints(spec.hints, DOMAIN_HINTS, prefix="hyperv.")
    generation = 2 if spec.firmware == "uefi" else 1
    for name in ("memory_minimum", "memory_maximum"):
        if name in hints:
            memory_size(hints[name], f"hyperv.{name}")
    if hints.get("memory_minimum", 0) > spec.memory_bytes or spec.memory_bytes > hints.get("memory_maximum", 1 << 63):
        raise errors.InvalidSpecError("memory lies outside of hyperv.memory_minimum and hyperv.memory_maximum")
    template = hints.get("secure_boot_template") or (_FAMILIES.get(spec.guest_os or "") if spec.secure_boot else None)
    if template and generation == 1:
        raise errors.InvalidSpecError("only firmware='uefi' has secure boot and its templates")
    adapters, notes = _adapters(spec.nics, Notes(text=spec.notes, tags=spec.tags, metadata=dict(spec.metadata)))
    return {
        "name": spec.name,
        "generation": generation,
        "vcpus": spec.vcpus,
        "memory": memory_size(spec.memory_bytes, "memory"),
        "memory_minimum": hints.get("memory_minimum"),
        "memory_maximum": hints.get("memory_maximum"),
        "path": None if "path" not in hints else pool_path(hints["path"]),
        "version": hints.get("version"),
        "secure_boot": spec.secure_boot,
        "secure_boot_template": template,
        "checkpoint_type": hints.get("checkpoint_type"),
        "nested": hints.get("nested"),
        "start_action": "Start" if spec.autostart else "Nothing",
        "drives": _drives(spec, generation),
        "adapters": adapters,
        "notes": notes.write(),
        "seed": _seed(spec),
    }


def _drives(spec: DomainSpec, generation: int) -> list[dict[str, Any]]:
    """Return all disks and drives, in their order, as what the scripts take."""
    disks = list(spec.disks)
    if spec.media is not None:
        disks.append(DiskSpec(device="cdrom", source=spec.media))
    wishes = [{**disk_wish(disk), "boot": place} for disk, place in zip(disks, boot_places(disks), strict=True)]
    if generation == 1:
        _check_boot_of_bios(disks)
        hard = [wish for wish in wishes if wish["device"] == "disk"]
        first = hard and not any(wish["bus"] == "ide" for wish in hard)
        if first and hard[0]["bus"] is None and not hard[0]["shared"]:  # IDE shares none
            hard[0]["bus"] = "ide"
    return wishes


def _check_boot_of_bios(disks: Sequence[DiskSpec]) -> None:
    """Refuse an order that a BIOS does not have: it boots from the CD-ROM drive, else from the first disk on IDE."""
    ordered = sorted((disk for disk in disks if disk.boot_order is not None), key=lambda disk: disk.boot_order or 0)
    hard = [disk for disk in disks if disk.device == "disk"]
    kinds = [disk.device for disk in ordered]
    if kinds not in ([], ["disk"], ["cdrom"], ["cdrom", "disk"]) or any(
        disk.device == "disk" and disk is not hard[0] for disk in ordered
    ):
        raise errors.InvalidSpecError(
            "a domain of generation 1 boots from its CD-ROM drive, else from its first disk",
            hint="use firmware='uefi' for another order",
        )


def _adapters(nics: Sequence[NicSpec], notes: Notes) -> tuple[list[dict[str, Any]], Notes]:
    """Return the adapters, and notes that remember what those are on whose cable is unplugged.

    Ids of adapters and switches are not known yet: tokens stand for them.
    """
    wishes = []
    for nic in nics:
        wish: dict[str, Any] = nic_arguments(nic)
        if not nic.link_up:
            wish["token"], wish["switch_token"] = str(uuid.uuid4()), str(uuid.uuid4())
            notes = notes.with_link(wish["token"], {"switch": wish["switch_token"], "name": ""})
        wishes.append(wish)
    return wishes, notes


def _seed(spec: DomainSpec) -> dict[str, Any] | None:
    if spec.cloud_init is None:
        return None
    image = seed_image(spec.cloud_init, name=spec.name, instance=str(uuid.uuid4()))
    return {"data": base64.b64encode(image).decode()}
