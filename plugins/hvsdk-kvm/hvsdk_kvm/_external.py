"""Snapshots that lie in files of their own: reverted and removed without libvirt's help, which came late.

Such a snapshot freezes the file a disk was in (its *state*) and lets the domain go on in a new file on top. To revert
is to put another new file on top of the state; to remove is to write the file above down into the state, where nothing
else lies on it, and to drop files that nothing needs any more.
"""

from __future__ import annotations

import copy
import itertools
import posixpath
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import libvirt
from hvsdk.driver import Capability, PowerState, VolumeInfo, errors

from hvsdk_kvm._block_jobs import commit, find_disk, running_for_a_while
from hvsdk_kvm._overlay_names import is_overlay, new_overlays
from hvsdk_kvm._overlays import disk_sources
from hvsdk_kvm._snapshot_xml import SnapshotRecord, read_snapshots, strip_backing
from hvsdk_kvm._usage import Usage
from hvsdk_kvm._xml import parse_xml, write_xml
from hvsdk_kvm._xml_devices import set_source

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session
    from hvsdk_kvm._store import Store

__all__ = ["ExternalSnapshots"]

_SECURE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE


class ExternalSnapshots:
    """The external snapshots of one domain."""

    def __init__(self, session: Session, store: Store, domain: libvirt.virDomain) -> None:
        self._session = session
        self._connection = session.connection
        self._embedded = session.embedded
        self._store = store
        self._domain = domain

    def revert(self, snapshot: SnapshotRecord) -> None:
        """Bring the domain back to a snapshot, off. When that fails it keeps the disks and the definition it had."""
        states = self._states(snapshot)
        if not self._domain.isPersistent():
            raise errors.PowerStateError(
                f"domain {self._domain.name()!r} has no definition, and would be gone once it is off",
                hint="define it first",
            )
        made = self._made(read_snapshots(self._domain))
        if self._domain.isActive():
            self._domain.destroy()
        before = self._domain.XMLDesc(_SECURE)
        left = [path for chain in self._chains().values() for path in chain if path in made or is_overlay(path)]
        definition = _definition(snapshot, parse_xml(before))
        overlays: list[VolumeInfo] = []
        try:
            # The files come first: at no moment does the domain have a disk that others lie on.
            for target, path in new_overlays({target: state.path or "" for target, state in states.items()}).items():
                overlays.append(self._overlay(states[target], path))
                set_source(find_disk(definition, target), overlays[-1])
            self._connection.defineXML(write_xml(definition))
            self._redefine(snapshot, current=True)
        except BaseException as exc:
            self._undo(before, overlays, exc)
            raise
        self._collect(read_snapshots(self._domain), left)

    def _states(self, snapshot: SnapshotRecord) -> dict[str, VolumeInfo]:
        """Return the files that hold the content of a snapshot's disks, by target."""
        found = {}
        states, formats = snapshot.states, snapshot.formats
        beyond = sorted(snapshot.outside - states.keys())
        if beyond:
            raise errors.UnsupportedError(
                f"disk {beyond[0]} of the snapshot {snapshot.name!r} lies in no file, and none can be put on top of it",
                capability=Capability.REVERT_SNAPSHOT,
            )
        for target, path in states.items():
            volume = self._store.locate(path)
            if volume is None:
                raise errors.VolumeNotFoundError(f"the snapshot {snapshot.name!r} lies in {path}, which is not there")
            found[target] = volume.replace(format=formats[path])
        return found

    def _overlay(self, state: VolumeInfo, path: str) -> VolumeInfo:
        return self._store.overlay(state, self._store.pool(state.pool or None), posixpath.basename(path))

    def _undo(self, before: str, overlays: Iterable[VolumeInfo], because: BaseException) -> None:
        """Give the domain its definition back and remove the new files, unless somebody has started it on them."""
        if self._domain.isActive():
            because.add_note("the domain was started meanwhile, so nothing was undone")
            return
        self._connection.defineXML(before)
        for volume in overlays:
            with suppress(errors.HvsdkError, libvirt.libvirtError, OSError):  # the first failure is the one to tell
                self._store.delete(volume)

    def drop(self, dropped: Sequence[SnapshotRecord], *, orphans: bool = False) -> None:
        """Remove snapshots; the domain's disks keep their present content.

        A state that several files lie on, or that lies aside from the domain's present disks, stays as a file for those
        that need it.

        Args:
            dropped: Parents before children.
            orphans: Also merge what snapshots have left behind that are no longer there.
        """
        every = read_snapshots(self._domain)
        states = {snapshot.name: snapshot.states for snapshot in every}
        chains = self._chains()
        self._refresh(chains)
        released = {state for snapshot in dropped for state in snapshot.states.values()}
        if orphans:
            for chain in chains.values():
                released |= {below for above, below in itertools.pairwise(chain) if is_overlay(above)}
        if any(path in released for chain in chains.values() for path in chain):
            self._refuse_saved()
        made = self._made(every)
        left = {path: None for state in released for path in self._paths(state) if path in made or is_overlay(path)}
        for snapshot in reversed(dropped):
            snapshot.handle.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        formats = self._formats(every, chains)
        kept = self._settle(states, formats)
        self._collect(kept, left)
        self._merge(chains, released, kept, formats)

    def _merge(
        self,
        chains: Mapping[str, list[str]],
        released: set[str],
        kept: Sequence[SnapshotRecord],
        formats: Mapping[str, str],
    ) -> None:
        others = Usage(self._session, self._store, but=self._domain.UUIDString())
        plan = {target: self._runs(chain, released, kept, others) for target, chain in chains.items()}
        if not any(plan.values()):
            return
        with running_for_a_while(self._domain, embedded=self._embedded):
            for target, runs in plan.items():
                for top, base in runs:
                    commit(self._domain, target, base=base, top=None if top == chains[target][0] else top)
                    moved = {snapshot.name: _replaced(snapshot.states, top, base) for snapshot in kept}
                    kept = self._settle(moved, formats)
        self._refresh(chains)
        used_up = []
        for target, runs in plan.items():
            chain = chains[target]
            for top, base in runs:
                used_up += chain[chain.index(top) : chain.index(base)]
        self._collect(kept, used_up)

    def _runs(
        self, chain: list[str], released: set[str], kept: Iterable[SnapshotRecord], others: Usage
    ) -> list[tuple[str, str]]:
        """Return (top, base) pairs to commit, the lowest first: runs of files that nobody else lies on."""
        above: dict[str, set[str]] = {}
        for path in (*chain[:1], *(state for snapshot in kept for state in snapshot.states.values())):
            files = self._paths(path)
            for upper, lower in itertools.pairwise(files):
                above.setdefault(lower, set()).add(upper)
        runs = []
        base = len(chain) - 1
        while base > 0:
            top = base
            if chain[base] in released:
                while (
                    top > 0
                    and (top == base or chain[top] in released)
                    and self._only(chain, top, above)
                    and others.holder_of_path(chain[top]) is None
                ):
                    top -= 1
            if top < base:
                runs.append((chain[top], chain[base]))
            base = min(top, base - 1)
        return runs

    def _only(self, chain: list[str], index: int, above: Mapping[str, set[str]]) -> bool:
        """Whether nothing but the next file of the chain lies on one of its files."""
        seen = {volume.path for volume in self._store.lying_on(chain[index])} | above.get(chain[index], set())
        return seen <= {chain[index - 1]}

    def _refresh(self, chains: Mapping[str, list[str]]) -> None:
        """Let libvirt's pools see what lies on what: it does not look again when QEMU has changed a file."""
        if self._embedded:
            return
        volumes = (self._store.locate(path) for chain in chains.values() for path in chain)
        for pool in {volume.pool for volume in volumes if volume is not None}:
            self._connection.storagePoolLookupByUUIDString(pool).refresh(0)

    def _formats(self, snapshots: Iterable[SnapshotRecord], chains: Mapping[str, list[str]]) -> dict[str, str]:
        """Return the formats of files by path. What snapshots say counts more than what is seen in a file: a raw disk
        can look like anything."""
        paths = (path for chain in chains.values() for path in chain)
        seen = {path: volume.format or "raw" for path in paths if (volume := self._store.locate(path)) is not None}
        return seen | {path: form for snapshot in snapshots for path, form in snapshot.formats.items()}

    def _settle(self, states: Mapping[str, Mapping[str, str]], formats: Mapping[str, str]) -> list[SnapshotRecord]:
        """Let the snapshots that are left say that their states are in these files, and return them.

        libvirt changes the children of a snapshot that is removed, as if their files had been merged already.
        """
        for snapshot in read_snapshots(self._domain):
            wanted = states[snapshot.name]
            if snapshot.states != wanted or snapshot.formats != {path: formats[path] for path in wanted.values()}:
                snapshot.move_states(wanted, formats)
                self._redefine(snapshot, current=bool(snapshot.handle.isCurrent(0)))
        return read_snapshots(self._domain)

    def _collect(self, kept: Iterable[SnapshotRecord], candidates: Iterable[str]) -> None:
        """Remove those files that neither the domain nor a snapshot needs, nor any volume that can be seen."""
        needed = {path for chain in self._chains().values() for path in chain}
        for state in {state for snapshot in kept for state in snapshot.states.values()} - needed:
            needed.update(self._paths(state))
        waiting = [path for path in dict.fromkeys(candidates) if path not in needed]
        while waiting:
            free = [path for path in waiting if not self._store.lying_on(path)]
            if not free:
                return
            self._remove(free)
            waiting = [path for path in waiting if path not in free]

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            volume = self._store.locate(path)
            if volume is not None:
                self._store.delete(volume)

    def _chains(self) -> dict[str, list[str]]:
        """Return the files of the domain's writable disks with all that they lie on, by target."""
        sources = disk_sources(parse_xml(self._domain.XMLDesc(_SECURE)))
        return {target: self._paths(path) for target, path in sources.items()}

    def _paths(self, path: str) -> list[str]:
        return [volume.path or "" for volume in self._store.chain(path)] or [path]

    def _made(self, snapshots: Iterable[SnapshotRecord]) -> set[str]:
        return {path for snapshot in snapshots for path in snapshot.overlays.values()}

    def _redefine(self, snapshot: SnapshotRecord, *, current: bool) -> None:
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        if current:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        self._domain.snapshotCreateXML(write_xml(snapshot.xml), flags)

    def _refuse_saved(self) -> None:
        if not self._domain.isActive() and self._domain.hasManagedSaveImage():
            raise errors.PowerStateError(
                f"the files of domain {self._domain.name()!r} cannot be merged while its memory is saved",
                state=PowerState.SUSPENDED,
                hint="resume it, or power_off(discard_memory=True)",
            )


def _definition(snapshot: SnapshotRecord, present: ET.Element) -> ET.Element:
    """Return the definition to go back to, under the domain's present name and with its present notes and labels."""
    domain = copy.deepcopy(snapshot.definition)
    domain.tag = "domain"
    strip_backing(domain)
    for tag in ("name", "title", "description", "metadata"):
        for element in domain.findall(tag):
            domain.remove(element)
        domain.extend(present.findall(tag))
    return domain


def _replaced(states: Mapping[str, str], top: str, base: str) -> dict[str, str]:
    return {target: base if path == top else path for target, path in states.items()}
