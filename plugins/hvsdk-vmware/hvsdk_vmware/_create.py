"""Making domains, from nothing or from a template."""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from hvsdk.cloud_init import seed_image
from hvsdk.driver import Deadline, DiskSpec, DomainInfo, DomainSpec, Result, Steps, errors
from pyVmomi import vim

from hvsdk_vmware._boot_order import Spot, boot_entries, spot_of
from hvsdk_vmware._cloud_init import seed_changes, seed_path
from hvsdk_vmware._controllers import Slots
from hvsdk_vmware._drives import DrivePlan, DrivePlans
from hvsdk_vmware._extra_config import MADE_KEY, SEED_KEY
from hvsdk_vmware._from_template import TemplateSources, card_changes, keep_of_template
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._hints import DOMAIN_HINTS, read_hints
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._making import Making
from hvsdk_vmware._names import shown
from hvsdk_vmware._nics import NicPlan, NicPlans
from hvsdk_vmware._pci_order import fix_slots
from hvsdk_vmware._placement import Home, Placement
from hvsdk_vmware._undo_create import NewDomain, UndoCreate, id_of_made
from hvsdk_vmware._vm_config import config_spec
from hvsdk_vmware._volumes import DIRECTORY

__all__ = ["CreateVerbs"]

_ON_STORE = re.compile(r"\[([^\]]*)\]")
"""How a path begins: with its datastore."""


@attrs.frozen(kw_only=True)
class _Draft:
    """All that is known before anything is made."""

    spec: DomainSpec
    template: Subject | None
    disks: list[DiskSpec]
    """All disks and drives, that for `media` among them; a template's own are not."""
    home: Home
    uuid: str
    config: vim.vm.ConfigSpec
    drives: list[DrivePlan]
    nics: list[NicPlan]
    ordered: bool
    """Whether a boot order is asked for."""


class CreateVerbs(UndoCreate, TemplateSources, NicPlans, DrivePlans, Placement, LabelVerbs, ListingReads):
    """`create_domain`.

    One call makes the domain with its disks and adapters. Copies of volumes, and the image for cloud-init, lie in its
    directory, which is there only then: they follow, and so does a boot order, which takes the keys of devices.
    """

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> Result[DomainInfo]:
        draft = self._draft_domain(spec, deadline)
        making = Making()
        return making.begin(lambda: self._create_steps(draft, making))

    def _draft_domain(self, spec: DomainSpec, deadline: Deadline) -> _Draft:
        hints = read_hints(spec.hints, DOMAIN_HINTS)
        disks = [*spec.disks, *([DiskSpec(device="cdrom", source=spec.media)] if spec.media is not None else [])]
        ordered = any(disk.boot_order is not None for disk in disks)
        instance = spec.uuid or str(uuid.uuid4())
        config_spec(spec, hints, instance, "")  # what cannot be written is refused before anything is looked for
        template = self.find_template(spec.template, deadline) if spec.template is not None else None
        home = self._home_of(spec, hints, disks, deadline)
        if spec.uuid is not None and self.with_uuid(spec.uuid, True, deadline):
            raise errors.AlreadyExistsError(f"there is a domain with the UUID {spec.uuid} already")
        config = config_spec(spec, hints, instance, home.store_name)
        if template is not None:
            keep_of_template(config, spec, hints)
        return _Draft(
            spec=spec,
            template=template,
            disks=disks,
            home=home,
            uuid=instance,
            config=config,
            drives=self.plan_drives(disks, deadline, host=home.host),
            nics=self.plan_nics(spec.nics, deadline, host=home.host),
            ordered=ordered,
        )

    def _home_of(
        self, spec: DomainSpec, hints: Mapping[str, Any], disks: Sequence[DiskSpec], deadline: Deadline
    ) -> Home:
        pools = [disk.pool for disk in disks if disk.pool is not None and disk.device == "disk"]
        networks = [nic.network for nic in spec.nics if nic.network is not None]
        seen = [store for disk in disks if (store := _store_of(disk))]
        return self.choose_home(hints, pools, networks, deadline, seen=seen)

    # ---- making ------------------------------------------------------------------------------------------

    def _create_steps(self, draft: _Draft, making: Making) -> Steps[DomainInfo]:
        new = NewDomain(draft.uuid, {drive.source for drive in draft.drives if drive.source and not drive.needs_copy})
        if draft.spec.uuid is not None:
            new.token = uuid.uuid4().hex
            draft.config.extraConfig.append(vim.option.OptionValue(key=MADE_KEY, value=new.token))
        making.takes_back(f"domain {draft.spec.name!r}", lambda exc: self.remove_made(new, exc))
        making.check()
        if draft.template is not None:
            yield from self._copy_template(draft, draft.template, new)
            first, spots = 0, []
        else:
            first = next((n for n, drive in enumerate(draft.drives) if drive.needs_copy), len(draft.drives))
            spots = yield from self._make(draft, new, first)
        if first < len(draft.drives) or draft.spec.cloud_init is not None:
            spots += yield from self._add_more(draft, new, first, making)
        if draft.ordered:
            devices = self.subject(new.native_id, self.soon()).devices
            options = vim.vm.BootOptions(
                bootOrder=boot_entries(draft.disks, spots, devices),
                efiSecureBootEnabled=draft.spec.secure_boot or None,
            )
            yield self._reconfigure_new(new, vim.vm.ConfigSpec(bootOptions=options))
        if draft.spec.tags:
            self.set_tags(new.native_id, draft.spec.tags, deadline=self.soon())
        if draft.spec.autostart:
            self.set_autostart(new.native_id, True, deadline=self.soon())
        making.check()
        return self.get_domain(new.native_id, frozenset({"config"}), deadline=self.soon())

    def _make(self, draft: _Draft, new: NewDomain, first: int) -> Steps[list[Spot]]:
        """Make the domain with all drives before the first that has to follow; return where those are."""
        slots = Slots()
        drives = [drive.change(slots) for drive in draft.drives[:first]]
        nics = [nic.change(slots) for nic in draft.nics]
        draft.config.deviceChange = [*slots.changes, *drives, *nics]
        if draft.spec.pci_order:
            fix_slots(draft.config.deviceChange)
        folder, pool, host, _ = self._objects(draft.home)
        spots = _spots(drives, slots, ())
        new.spots |= _kept(draft.drives, spots)
        new.asked = True
        create = folder.CreateVM_Task
        new.task = self.start_task(create, draft.config, pool, host, deadline=self.soon(), result=id_of_made)
        new.native_id = yield new.task
        self._check_uuid(draft, new)
        return spots

    def _copy_template(self, draft: _Draft, template: Subject, new: NewDomain) -> Steps[None]:
        """Copy a template; its disks come first, then those of the specification."""
        slots = Slots(template.devices)
        nics = [nic.change(slots) for nic in draft.nics]
        if draft.spec.pci_order:
            fix_slots(nics)
        draft.config.deviceChange = [*card_changes(template.devices, nics), *seed_changes(template.devices)]
        folder, pool, host, store = self._objects(draft.home)
        spec = self.copy_of(template, draft.config, pool=pool, host=host, store=store)
        clone, name = self.vm(template.native_id).CloneVM_Task, draft.config.name
        new.asked = True
        new.task = self.start_task(clone, folder, name, spec, deadline=self.soon(), result=id_of_made)
        new.native_id = yield new.task
        self._check_uuid(draft, new)

    def _objects(self, home: Home) -> tuple[Any, Any, Any, Any]:
        return (
            vim.Folder(home.folder, self.stub),
            vim.ResourcePool(home.pool, self.stub),
            vim.HostSystem(home.host, self.stub),
            vim.Datastore(home.store, self.stub),
        )

    def _check_uuid(self, draft: _Draft, new: NewDomain) -> None:
        if draft.spec.uuid is not None and self.subject(new.native_id, self.soon()).uuid != draft.uuid:
            raise errors.AlreadyExistsError(
                f"vSphere gave the new domain another UUID than {draft.uuid}: there is one with that already"
            )

    def _add_more(self, draft: _Draft, new: NewDomain, first: int, making: Making) -> Steps[list[Spot]]:
        """Add what lies in the domain's directory, and the drives that come after such; return where those are."""
        vm = self.subject(new.native_id, self.soon())
        slots, spec = Slots(vm.devices), vim.vm.ConfigSpec()
        changes = []
        for number, drive in enumerate(draft.drives[first:], start=first):
            making.check()
            path = (yield from self._copy(draft, new, vm, drive, number)) if drive.needs_copy else None
            changes.append(drive.change(slots, path))
        spots = _spots(changes, slots, vm.devices)
        new.spots |= _kept(draft.drives[first:], spots)
        if draft.spec.cloud_init is not None:
            making.check()
            image = self._put_seed(draft, new, vm)
            wish = DiskSpec(device="cdrom", source=image)
            (seed,) = self.plan_drives([wish], self.soon(), host=draft.home.host)
            changes.append(seed.change(slots))
            spec.extraConfig = [vim.option.OptionValue(key=SEED_KEY, value=image)]
        spec.deviceChange = [*slots.changes, *changes]
        making.check()
        yield self._reconfigure_new(new, spec)
        return spots

    def _copy(self, draft: _Draft, new: NewDomain, vm: Subject, drive: DrivePlan, number: int) -> Steps[str]:
        """Copy a volume: into the domain's directory, or where volumes lie on another datastore; return its path."""
        pool = drive.pool.id if drive.pool is not None else draft.home.store
        path = f"{posixpath.splitext(vm.path)[0]}-{number}.vmdk"
        if pool != draft.home.store:
            store = self.store(pool, self.soon())
            self.make_directory(store)
            path = store.path(f"{DIRECTORY}/{vm.uuid}-{number}.vmdk")
        new.files[path] = pool
        yield from self.copy_drive(drive, path, pool)
        return path

    def _put_seed(self, draft: _Draft, new: NewDomain, vm: Subject) -> str:
        assert draft.spec.cloud_init is not None
        image = seed_path(vm.path, vm.uuid)
        store = self.store(draft.home.store, self.soon())
        inside = store.inside(image)
        if inside is None:
            raise errors.OperationFailedError(f"the domain's directory is not on {store.name!r}: {vm.path}")
        new.files[image] = store.id
        data = seed_image(draft.spec.cloud_init, name=draft.spec.name, instance=vm.uuid)
        self.upload_file(store, inside, data)
        return image

    def _reconfigure_new(self, new: NewDomain, spec: vim.vm.ConfigSpec) -> Any:
        return self.start_task(self.vm(new.native_id).ReconfigVM_Task, spec, deadline=self.soon())


def _store_of(disk: DiskSpec) -> str | None:
    """Return the datastore that a source names itself."""
    source = disk.source or ""
    found = _ON_STORE.match(source)
    if found is not None:
        return shown(found[1])
    return source.partition("/")[0] if disk.pool is None and "/" in source else None


def _kept(drives: Sequence[DrivePlan], spots: Sequence[Spot]) -> set[Spot]:
    """Return where volumes are attached that were there before."""
    pairs = zip(drives, spots, strict=False)
    return {spot for drive, spot in pairs if drive.spec.device == "disk" and drive.source and not drive.needs_copy}


def _spots(changes: Sequence[Any], slots: Slots, devices: Sequence[Any]) -> list[Spot]:
    known = [*devices, *(change.device for change in slots.changes)]
    return [spot_of(change.device, known) for change in changes]
