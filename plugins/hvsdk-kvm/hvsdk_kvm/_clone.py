"""Clones: copies of volumes, or new volumes on top of frozen ones."""

from __future__ import annotations

import re
import threading
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import attrs
import libvirt
from hvsdk.driver import (
    BackgroundTask,
    Capability,
    Deadline,
    DiskSpec,
    DomainInfo,
    PowerState,
    StoragePoolInfo,
    Task,
    VolumeInfo,
    errors,
)

from hvsdk_kvm._clone_xml import clone_definition
from hvsdk_kvm._errors import code_of
from hvsdk_kvm._nvram import copy_variables, has_flash
from hvsdk_kvm._overlay_names import new_overlays
from hvsdk_kvm._overlays import add_overlays, disk_sources
from hvsdk_kvm._plan import check_domain_name
from hvsdk_kvm._session import Session
from hvsdk_kvm._store import Store, fresh_name, store_of
from hvsdk_kvm._usage import disk_source
from hvsdk_kvm._volumes import DiskWish, Making
from hvsdk_kvm._xml import write_xml

__all__ = ["CloneVerbs", "frozen_below"]

_FRONT = re.compile(r"\.front-[0-9a-f]{8}\.qcow2$")


@attrs.frozen(kw_only=True)
class _Part:
    """A disk of the original that the clone gets one of its own for."""

    target: str
    volume: VolumeInfo
    pool: StoragePoolInfo


class CloneVerbs(Session):
    """`clone`."""

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Task[DomainInfo]:
        check_domain_name(name)
        domain = self.lookup(native_id)
        _refuse_state(domain)
        _refuse_taken(self.connection, name)
        store = store_of(self)
        original = self.read_xml(domain, secure=True)
        parts = list(_parts(domain, original, store))
        if linked:
            _refuse_linked(domain, original, store, parts)
        job = _Cloning(self, store, domain, original, parts)
        work = job.link if linked else job.copy
        return BackgroundTask(lambda: work(name), progress=lambda: job.progress, cancel=job.stop.set)


class _Cloning:
    """The making of one clone; what it made is removed again when it fails or is cancelled."""

    def __init__(
        self, session: Session, store: Store, domain: libvirt.virDomain, original: ET.Element, parts: list[_Part]
    ) -> None:
        self._session = session
        self._store = store
        self._domain = domain
        self._original = original
        self._parts = parts
        self.stop = threading.Event()
        self.progress: float | None = 0.0

    def copy(self, name: str) -> DomainInfo:
        """Make a clone with full copies of the disks."""
        total = sum(part.volume.capacity_bytes or 0 for part in self._parts)
        done = 0
        with Making(self._store, name) as making:
            disks = {}
            for part in self._parts:
                self._check()
                form = part.volume.format
                wish = DiskWish(
                    spec=DiskSpec(source=part.volume.path or part.volume.id, copy=True),
                    pool=part.pool,
                    source=part.volume,
                    format=form,
                )
                made = making.volume(wish, part.target)
                if made is not None:
                    disks[part.target] = made
                done += part.volume.capacity_bytes or 0
                self.progress = done / total if total else None
            self._check()
            _refuse_state(self._domain)  # what was copied while it ran is no disk of any moment
            return self._define(name, disks)

    def link(self, name: str) -> DomainInfo:
        """Make a clone whose disks lie on the original's, which goes on in new files on top of them, too."""
        made: list[VolumeInfo] = []
        with self._frozen():
            try:
                disks = {}
                for part in self._parts:
                    self._check()
                    disks[part.target] = self._store.overlay(
                        part.volume, part.pool, fresh_name(name, part.target, "qcow2")
                    )
                    made.append(disks[part.target])
                self._check()
                return self._define(name, disks)
            except BaseException as exc:
                for volume in made:
                    _remove(self._store, volume, exc)
                raise

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        """Let nobody write to the original's disks any more: a clone would not survive that."""
        before = self._domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        sources = {part.target: part.volume.path or "" for part in self._parts}
        fronts = {target: _front(path) for target, path in new_overlays(sources).items()}
        if fronts:
            add_overlays(self._domain, self._original, fronts)
        try:
            yield
        except BaseException as exc:
            if self._domain.isActive():
                exc.add_note("the original was started meanwhile, so it stays in its new files")
                raise
            self._session.connection.defineXML(before)
            for path in fronts.values():
                volume = self._store.locate(path)
                if volume is not None:
                    _remove(self._store, volume, exc)
            raise

    def _define(self, name: str, disks: dict[str, VolumeInfo]) -> DomainInfo:
        identity = str(uuid.uuid4())
        definition = clone_definition(self._original, name, identity, disks)
        _refuse_taken(self._session.connection, name)
        if has_flash(self._original):
            copy_variables(self._session, self._original, definition)
        self._session.connection.defineXML(write_xml(definition))
        deadline = Deadline(self._session.target.timeout)
        return self._session.get_domain(identity, frozenset({"config"}), deadline=deadline)

    def _check(self) -> None:
        if self.stop.is_set():
            raise BackgroundTask.cancelled()


def frozen_below(chain: Iterable[VolumeInfo]) -> list[VolumeInfo]:
    """Return those volumes of a chain that are a domain's own though it does not write to them: its linked clones lie
    on them."""
    return [lower for upper, lower in pairwise(chain) if _FRONT.search(upper.path or "")]


def _front(path: str) -> str:
    return re.sub(r"\.snap-([0-9a-f]{8}\.qcow2)$", r".front-\1", path)


def _parts(domain: libvirt.virDomain, original: ET.Element, store: Store) -> Iterator[_Part]:
    """Yield the disks that a clone cannot share, with the places of their copies."""
    for disk in original.iterfind("devices/disk"):
        own = disk.find("readonly") is None and disk.find("shareable") is None
        if disk.get("device", "disk") != "disk" or disk.find("source") is None or not own:
            continue
        element = disk.find("target")
        target = element.get("dev", "") if element is not None else ""
        volume = disk_source(disk, store)
        if volume is None:
            raise errors.UnsupportedError(
                f"disk {target} of domain {domain.name()!r} is in no storage pool of this host, and cannot be copied",
                capability=Capability.CLONE,
                hint="make a pool of its directory",
            )
        pool = store.pool(volume.pool or None)
        yield _Part(
            target=target,
            volume=volume.replace(format="raw" if volume.format in (None, "iso") else volume.format),
            pool=pool,
        )


def _refuse_state(domain: libvirt.virDomain) -> None:
    if domain.isActive():
        raise errors.PowerStateError(f"domain {domain.name()!r} is on", hint="shut it down to clone it")
    if domain.hasManagedSaveImage(0):
        raise errors.PowerStateError(
            f"the memory of domain {domain.name()!r} is saved; its disks are in the middle of something",
            state=PowerState.SUSPENDED,
            hint="resume it and shut it down, or power_off(discard_memory=True)",
        )


def _refuse_taken(connection: libvirt.virConnect, name: str) -> None:
    try:
        connection.lookupByName(name)
    except libvirt.libvirtError as exc:
        if code_of(exc) != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return
    raise errors.AlreadyExistsError(f"there is already a domain {name!r}")


def _refuse_linked(domain: libvirt.virDomain, original: ET.Element, store: Store, parts: Iterable[_Part]) -> None:
    """Raise where a disk cannot be frozen."""
    if domain.snapshotNum(0):
        raise errors.UnsupportedError(
            f"domain {domain.name()!r} has snapshots; to revert to one would change the disks that the clone lies on",
            capability=Capability.CLONE_LINKED,
            hint="delete them first, or make a full clone",
        )
    files = disk_sources(original)
    for part in parts:
        if part.target not in files or store.thin_format(part.pool) != "qcow2":
            raise errors.UnsupportedError(
                f"disk {part.target} of domain {domain.name()!r} is in no file, so that none can lie on it",
                capability=Capability.CLONE_LINKED,
                hint="make a full clone",
            )


def _remove(store: Store, volume: VolumeInfo, because: BaseException) -> None:
    try:
        store.delete(volume)
    except (libvirt.libvirtError, errors.HvsdkError, OSError) as exc:
        because.add_note(f"{volume.path or volume.id} was made and could not be removed: {exc}")
