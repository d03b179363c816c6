"""Making domains."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import attrs
import libvirt
from hvsdk.cloud_init import seed_image
from hvsdk.driver import (
    BackgroundTask,
    Deadline,
    DiskSpec,
    DomainInfo,
    DomainSpec,
    Result,
    StoragePoolInfo,
    boot_places,
    errors,
)

from hvsdk_kvm._cloud_init import seed_name
from hvsdk_kvm._errors import code_of
from hvsdk_kvm._hints import DOMAIN_HINTS, read_hints
from hvsdk_kvm._nics import plan_nic
from hvsdk_kvm._plan import DiskPlan, NicPlan, Platform, check_domain_name, plan_buses
from hvsdk_kvm._session import Session
from hvsdk_kvm._store import Store, store_of
from hvsdk_kvm._virt_type import virt_type
from hvsdk_kvm._volumes import DiskWish, Making, find_media, resolve_disk
from hvsdk_kvm._xml import write_xml
from hvsdk_kvm._xml_build import DomainPlan, domain_element

__all__ = ["CreateVerbs"]


@attrs.frozen(kw_only=True)
class _Draft:
    """All that is known before anything is made."""

    plan: DomainPlan
    wishes: list[DiskWish]
    """One for each of the plan's disks, in order."""
    seed: StoragePoolInfo | None
    """Where the seed of cloud-init goes, into the last of the disks."""


class CreateVerbs(Session):
    """`create_domain`."""

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> Result[DomainInfo]:
        self._refuse_spec(spec)
        store = store_of(self)
        draft = self._draft_domain(spec, store)
        domain_element(draft.plan)  # what cannot be written is refused before anything is made
        if not any(wish.spec.copy for wish in draft.wishes):
            self._make_domain(draft, store, lambda: None)
            return self.get_domain(draft.plan.uuid, frozenset({"config"}), deadline=deadline)
        return self._create_in_background(draft, store)

    def _create_in_background(self, draft: _Draft, store: Store) -> BackgroundTask[DomainInfo]:
        stop = threading.Event()

        def check() -> None:
            if stop.is_set():
                raise BackgroundTask.cancelled()

        def work() -> DomainInfo:
            self._make_domain(draft, store, check)
            return self.get_domain(draft.plan.uuid, frozenset({"config"}), deadline=Deadline(self.target.timeout))

        return BackgroundTask(work, cancel=stop.set)

    def _refuse_spec(self, spec: DomainSpec) -> None:
        check_domain_name(spec.name)
        if spec.template is not None:
            raise errors.InvalidSpecError("libvirt has no templates", hint="clone a domain, or give copy=True disks")
        if _taken(lambda: self.connection.lookupByName(spec.name)):
            raise errors.AlreadyExistsError(f"there is already a domain {spec.name!r}")
        wanted = spec.uuid
        if wanted is not None and _taken(lambda: self.connection.lookupByUUIDString(wanted)):
            raise errors.AlreadyExistsError(f"there is already a domain with the UUID {wanted}")

    def _draft_domain(self, spec: DomainSpec, store: Store) -> _Draft:
        identity = spec.uuid or str(uuid.uuid4())
        platform = _platform(self, spec.machine)
        hints = read_hints(spec.hints, DOMAIN_HINTS)
        bare = DomainPlan(spec=spec, uuid=identity, platform=platform, hints=hints)
        specs = list(spec.disks)
        wishes = [resolve_disk(store, disk) for disk in specs]
        if spec.media is not None:
            specs.append(DiskSpec(device="cdrom", source=spec.media))
            wishes.append(DiskWish(spec=specs[-1], source=find_media(store, spec.media)))
        seed = None
        if spec.cloud_init is not None:
            seed = _seed_pool(store, wishes)
            specs.append(DiskSpec(device="cdrom"))
            wishes.append(DiskWish(spec=specs[-1]))
        places = plan_buses(specs, platform, windows=bare.windows, scsi=hints.get("virtio_scsi", False))
        orders = boot_places(specs)
        disks = [
            DiskPlan(spec=disk, bus=bus, target=target, volume=wish.source, boot_order=order)
            for disk, wish, (bus, target), order in zip(specs, wishes, places, orders, strict=True)
        ]
        return _Draft(plan=attrs.evolve(bare, disks=disks, nics=self._plan_nics(bare)), wishes=wishes, seed=seed)

    def _plan_nics(self, plan: DomainPlan) -> list[NicPlan]:
        taken = {nic.mac for nic in plan.spec.nics if nic.mac is not None}
        planned = []
        for spec in plan.spec.nics:
            planned.append(plan_nic(self, spec, plan.platform, windows=plan.windows, taken=taken))
            taken.add(planned[-1].mac)
        return planned

    def _make_domain(self, draft: _Draft, store: Store, check: Callable[[], None]) -> None:
        plan = draft.plan
        with Making(store, plan.spec.name) as making:
            disks = []
            for disk, wish in zip(plan.disks, draft.wishes, strict=True):
                check()
                disks.append(attrs.evolve(disk, volume=making.volume(wish, disk.target)))
            if draft.seed is not None and plan.spec.cloud_init is not None:
                data = seed_image(plan.spec.cloud_init, name=plan.spec.name, instance=plan.uuid)
                disks[-1] = attrs.evolve(disks[-1], volume=making.upload(draft.seed, seed_name(plan.uuid), data))
            check()
            _define(self, attrs.evolve(plan, disks=disks))


def _taken(look_up: Callable[[], object]) -> bool:
    try:
        look_up()
    except libvirt.libvirtError as exc:
        if code_of(exc) == libvirt.VIR_ERR_NO_DOMAIN:
            return False
        raise
    return True


def _seed_pool(store: Store, wishes: list[DiskWish]) -> StoragePoolInfo:
    """Return where the seed goes: beside the first disk, if that is a place for files."""
    for wish in wishes:
        pool = wish.pool or (store.pool(wish.source.pool) if wish.source and wish.source.pool else None)
        if pool is not None and store.thin_format(pool) == "qcow2":
            return pool
    return store.pool(None)


def _define(session: Session, plan: DomainPlan) -> None:
    domain = session.connection.defineXML(write_xml(domain_element(plan)))
    if plan.spec.autostart:
        try:
            domain.setAutostart(1)
        except libvirt.libvirtError:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
            raise


def _platform(session: Session, machine: str | None) -> Platform:
    """Return what new domains are made for here: `q35` boards where nothing else is said."""
    kind = virt_type(session)
    if kind not in ("kvm", "qemu"):
        return Platform(domain_type=kind, machine=machine)
    arch = str(session.connection.getInfo()[0])
    return Platform(domain_type=kind, arch=arch, machine=machine or ("q35" if arch in ("x86_64", "i686") else None))
