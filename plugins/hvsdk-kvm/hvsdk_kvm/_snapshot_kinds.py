"""Which kind of snapshot is right: inside the qcow2 files, or in files of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import NoReturn

import attrs
import libvirt
from hvsdk.driver import Capability, PowerState, errors

from hvsdk_kvm._overlays import disk_sources, targets
from hvsdk_kvm._store import Store

__all__ = ["Kind", "choose_kind", "refuse_without_agent"]

_AGENT = "org.qemu.guest_agent.0"


@attrs.frozen(kw_only=True)
class Kind:
    """What to make."""

    external: bool
    sources: dict[str, str] = attrs.field(factory=dict)
    """For an external one the files that are frozen, by their disks' targets."""
    skipped: frozenset[str] = frozenset()
    """Targets of what has nothing to freeze: CD-ROMs and read-only disks."""


def choose_kind(domain: libvirt.virDomain, definition: ET.Element, store: Store, *, memory: bool) -> Kind:
    """Return the kind to make now, one that can be reverted later. Nothing is changed.

    With memory it is inside the files, of a running domain without memory beside them; of a domain that is off
    whatever its disks, firmware and present snapshots allow.

    Raises:
        UnsupportedError: It cannot be made, or could not be reverted here.
    """
    why_not_internal = _why_not_internal(domain, definition)
    if memory or not (domain.isActive() or why_not_internal):
        if why_not_internal:
            _refuse(f"a snapshot with memory is kept inside qcow2 disks, but {why_not_internal}", memory=True)
        return Kind(external=False)
    if domain.snapshotNum(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL):
        what = (
            "of a running domain without its memory"
            if domain.isActive()
            else f"kept beside the disks ({why_not_internal})"
        )
        _refuse(f"a snapshot {what} would bury those inside the disks' files", hint="delete them first, or memory=True")
    return _external(domain, definition, store)


def refuse_without_agent(name: str, definition: ET.Element, *, active: bool) -> None:
    """Raise unless the guest's agent can be asked to quiesce the disks.

    Raises:
        PowerStateError: The domain is off.
        GuestAgentError: It has no agent, or the agent does not run.
    """
    if not active:
        raise errors.PowerStateError(
            f"domain {name!r} is off: no agent could quiesce it", state=PowerState.SHUTOFF, hint="leave quiesce out"
        )
    for channel in definition.iterfind("devices/channel/target"):
        if channel.get("name") == _AGENT:
            if channel.get("state") == "connected":
                return
            raise errors.GuestAgentError(f"the guest agent of domain {name!r} does not run", not_yet=True)
    raise errors.GuestAgentError(
        f"domain {name!r} has no channel for a guest agent, which quiesce needs", hint="leave quiesce out"
    )


def _why_not_internal(domain: libvirt.virDomain, definition: ET.Element) -> str | None:
    """Say why a snapshot cannot be kept inside the disks' files."""
    loader = definition.find("os/loader")
    if definition.find("os[@firmware='efi']") is not None or (loader is not None and loader.get("type") == "pflash"):
        return "UEFI keeps its variables on a flash chip that it would leave out"
    for disk in _writable(definition):
        driver, target = disk.find("driver"), disk.find("target")
        form = driver.get("type", "raw") if driver is not None else "raw"
        if form != "qcow2":
            return f"disk {target.get('dev') if target is not None else '?'} is {form}"
    if not _writable(definition):
        return "the domain has no disk to keep it in"
    if domain.snapshotNum(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL):
        return "snapshots lie beside the disks already"
    return None


def _external(domain: libvirt.virDomain, definition: ET.Element, store: Store) -> Kind:
    sources = disk_sources(definition)
    for disk in _writable(definition):
        target = disk.find("target")
        name = target.get("dev", "") if target is not None else ""
        if name not in sources:
            _refuse(f"disk {name} is in no file, so that none can be put on top of it")
        if store.locate(sources[name]) is None:
            _refuse(
                f"{sources[name]} is in no active storage pool of this host, so that a snapshot's files beside it could"
                " not be removed again",
                hint="make a pool of its directory",
            )
    if not sources:
        _refuse(f"domain {domain.name()!r} has no disk to make a snapshot of")
    return Kind(external=True, sources=sources, skipped=frozenset(targets(definition) - sources.keys()))


def _writable(definition: ET.Element) -> list[ET.Element]:
    disks = definition.iterfind("devices/disk")
    return [disk for disk in disks if disk.get("device", "disk") == "disk" and disk.find("readonly") is None]


def _refuse(reason: str, *, memory: bool = False, hint: str | None = None) -> NoReturn:
    capability = Capability.SNAPSHOT_MEMORY if memory else Capability.CREATE_SNAPSHOT
    raise errors.UnsupportedError(reason, capability=capability, hint=hint)
