"""What stands against moving a domain: found out before anything is changed."""

from __future__ import annotations

import posixpath
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import libvirt
from hvsdk.driver import PowerState, VolumeInfo, errors

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._nvram import has_flash
from hvsdk_kvm._session import Session
from hvsdk_kvm._store import Store, lies_on, store_of
from hvsdk_kvm._usage import disk_source
from hvsdk_kvm._xml import parse_xml, write_xml

__all__ = ["disks_to_copy", "refuse_states", "why_not"]


def refuse_states(domain: libvirt.virDomain, *, live: bool) -> None:
    """Raise `PowerStateError` where libvirt would lose something, or do what was not asked for."""
    if domain.isActive():
        if not live:
            raise errors.PowerStateError(f"domain {domain.name()!r} is on", hint="shut it down, or live=True")
    elif domain.hasManagedSaveImage(0):
        raise errors.PowerStateError(
            f"the memory of domain {domain.name()!r} is saved here, and libvirt would leave it behind",
            state=PowerState.SUSPENDED,
            hint="resume it first",
        )


def why_not(here: Session, domain: libvirt.virDomain, there: Session) -> str | None:
    """Say the first thing that stands against moving a domain, in words that complete "it cannot: …"."""
    active = bool(domain.isActive())
    definition = here.read_xml(domain, inactive=not active)
    checks: tuple[Callable[[], str | None], ...] = (
        lambda: _ends(here, there),
        lambda: _identity(domain, there.connection),
        lambda: _snapshots(domain),
        lambda: _firmware(definition, active=active),
        lambda: _networks(definition, there.connection, active=active),
        lambda: _processor(here.connection, definition, there.connection) if active else None,
        lambda: _storage(here, definition, there, active=active),
    )
    for check in checks:
        reason = check()
        if reason is not None:
            return reason
    return None


def disks_to_copy(here: Session, domain: libvirt.virDomain, there: Session) -> list[str]:
    """Return the targets of those disks whose files the other host does not see, so that they go along."""
    definition = here.read_xml(domain)
    sharing = _Sharing(store_of(here), store_of(there))
    return [target for target, volume in _writable(definition, store_of(here)) if sharing.of(volume) is False]


def _ends(here: Session, there: Session) -> str | None:
    if here.kind != there.kind:
        return f"the one is libvirt's {here.kind} driver, the other its {there.kind} driver"
    for end in (here, there):
        if end.embedded:
            return "an embedded driver has no daemon to talk to"
    if _host_uuid(here.connection) == _host_uuid(there.connection):
        return "both connections are to the same machine"
    return None


def _host_uuid(connection: libvirt.virConnect) -> str | None:
    return parse_xml(connection.getCapabilities()).findtext("host/uuid")


def _identity(domain: libvirt.virDomain, there: libvirt.virConnect) -> str | None:
    if _finds(lambda: there.lookupByUUIDString(domain.UUIDString()), libvirt.VIR_ERR_NO_DOMAIN):
        return f"a domain with the UUID {domain.UUIDString()} is there already"
    if _finds(lambda: there.lookupByName(domain.name()), libvirt.VIR_ERR_NO_DOMAIN):
        return f"a domain named {domain.name()!r} is there already"
    return None


def _snapshots(domain: libvirt.virDomain) -> str | None:
    count = domain.snapshotNum(0)
    return f"it has {count} snapshots, which libvirt does not move" if count else None


def _firmware(definition: ET.Element, *, active: bool) -> str | None:
    if not active and has_flash(definition):
        return "the variables of its UEFI are in a file here, which libvirt moves only with a running domain"
    return None


def _networks(definition: ET.Element, there: libvirt.virConnect, *, active: bool) -> str | None:
    wanted = {source.get("network") for source in definition.iterfind("devices/interface/source")} - {None}
    for name in sorted(map(str, wanted)):
        if not _finds(partial(there.networkLookupByName, name), libvirt.VIR_ERR_NO_NETWORK):
            return f"there is no network {name!r} there"
        if active and not there.networkLookupByName(name).isActive():
            return f"the network {name!r} is not active there"
    return None


def _processor(here: libvirt.virConnect, definition: ET.Element, there: libvirt.virConnect) -> str | None:
    """Compare what the guest sees with what the other host offers."""
    processor = definition.find("cpu")
    if processor is None:
        return None
    try:
        if processor.get("mode") == "host-passthrough":
            own = parse_xml(here.getCapabilities()).find("host/cpu")
            result = there.compareCPU(write_xml(own), 0) if own is not None else libvirt.VIR_CPU_COMPARE_IDENTICAL
        else:
            kind = definition.find("os/type")
            arch = kind.get("arch") if kind is not None else None
            machine = kind.get("machine") if kind is not None else None
            asked = (None, arch, machine, definition.get("type"), write_xml(processor))
            result = cast("Callable[..., int]", there.compareHypervisorCPU)(*asked)  # None is the host's own emulator
    except libvirt.libvirtError as exc:
        if code_of(exc) not in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_CONFIG_UNSUPPORTED):
            raise
        return None  # it cannot be compared; libvirt looks again when the domain arrives
    if result in (libvirt.VIR_CPU_COMPARE_IDENTICAL, libvirt.VIR_CPU_COMPARE_SUPERSET):
        return None
    return "the processor there lacks something that the guest has been shown"


def _storage(here: Session, definition: ET.Element, there: Session, *, active: bool) -> str | None:
    store, other = store_of(here), store_of(there)
    sharing = _Sharing(store, other)
    unseen = None if there.target.options.get("migrate_unsafe") else next(_unseen(definition, store), None)
    if unseen is not None:
        return (
            f"disk {unseen} lies in no storage pool of this host, so that nobody can tell whether the file of its name"
            " there is the same (connect to the target with migrate_unsafe=True if it is)"
        )
    for target, volume in _writable(definition, store):
        path = volume.path or ""
        if sharing.of(volume) is None and not active and other.locate(path) is None:
            return (
                f"no storage pool there has the directory of {path}, so that nobody can tell whether it is seen there"
            )
        if sharing.of(volume) is not False:
            continue
        if not active:
            return f"the file of disk {target} is not seen there, and libvirt copies only those of running domains"
        if lies_on(volume) is not None:
            return f"the file of disk {target} is not seen there, and lies on another that libvirt would leave behind"
        if other.locate(path) is not None:
            return f"disk {target} would be copied, but there is another file {path} there"
        if not any(pool.active and pool.path == posixpath.dirname(path) for pool in other.pools()):
            return f"disk {target} would be copied, but no storage pool there has the directory of {path}"
    return None


def _writable(definition: ET.Element, store: Store) -> Iterator[tuple[str, VolumeInfo]]:
    """Yield (target, volume) of the disks that can be looked at; libvirt itself looks after the others."""
    for disk in definition.iterfind("devices/disk"):
        if disk.get("device", "disk") == "disk" and disk.find("readonly") is None:
            volume = disk_source(disk, store)
            target = disk.find("target")
            if volume is not None and volume.pool and target is not None:
                yield target.get("dev", ""), volume


def _unseen(definition: ET.Element, store: Store) -> Iterator[str]:
    """Yield the targets of those writable disks in files and devices that lie in no pool."""
    for disk in definition.iterfind("devices/disk"):
        source, target = disk.find("source"), disk.find("target")
        if disk.get("device", "disk") != "disk" or disk.find("readonly") is not None or source is None:
            continue
        path = source.get("file") or source.get("dev")
        if path and target is not None and ((volume := store.locate(path)) is None or not volume.pool):
            yield target.get("dev", "")


class _Sharing:
    """Whether two hosts see the same files, by pool: a mark that one makes is seen by the other, or not."""

    def __init__(self, here: Store, there: Store) -> None:
        self._here = here
        self._there = there
        self._known: dict[str, bool | None] = {}

    def of(self, volume: VolumeInfo) -> bool | None:
        """Say whether the other host sees a volume; `None` where nobody can tell."""
        if volume.details.get("kvm.type") != "file":
            return None
        if volume.pool not in self._known:
            self._known[volume.pool] = self._probe(volume.pool)
        return self._known[volume.pool]

    def _probe(self, pool_id: str) -> bool | None:
        pool = self._here.pool(pool_id)
        if pool.type == "netfs" or pool.path is None:
            return None
        if not any(other.active and other.path == pool.path for other in self._there.pools()):
            return None
        mark = self._here.create(pool, f"hvsdk-mark-{secrets.token_hex(8)}.raw", 512, "raw")
        try:
            return self._there.locate(mark.path or "") is not None
        finally:
            self._here.delete(mark)


def _finds(look_up: Callable[[], object], missing: int) -> bool:
    try:
        look_up()
    except libvirt.libvirtError as exc:
        if code_of(exc) != missing:
            raise
        return False
    return True
