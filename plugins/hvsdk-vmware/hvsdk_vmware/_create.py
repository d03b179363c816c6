"""Making domains from nothing."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from hvsdk.cloud_init import seed_image
from hvsdk.driver import Deadline, DiskSpec, DomainInfo, DomainSpec, Result, Steps, errors
from pyVmomi import vim

from hvsdk_vmware._boot_order import Spot, boot_entries, check_boot_order, spot_of
from hvsdk_vmware._cloud_init import SEED, seed_path
from hvsdk_vmware._controllers import Slots
from hvsdk_vmware._drives import DrivePlan, DrivePlans
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._hints import DOMAIN_HINTS, read_hints
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._making import Making
from hvsdk_vmware._nics import NicPlan, NicPlans
from hvsdk_vmware._pci_order import fix_slots
from hvsdk_vmware._placement import Home, Placement
from hvsdk_vmware._undo_create import NewDomain, UndoCreate
from hvsdk_vmware._vm_config import config_spec

__all__ = ["CreateVerbs"]


@attrs.frozen(kw_only=True)
class _Draft:
    """All that is known before anything is made."""

    spec: DomainSpec
    disks: list[DiskSpec]
    """All disks and drives, that for `media` among them."""
    home: Home
    uuid: str
    config: vim.vm.ConfigSpec
    drives: list[DrivePlan]
    nics: list[NicPlan]
    ordered: bool
    """Whether a boot order is asked for."""


class CreateVerbs(UndoCreate, DrivePlans, NicPlans, Placement, LabelVerbs, ListingReads):
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
        if spec.template is not None:
            raise errors.InvalidSpecError(
                "a domain is not made from a template and a specification at once",
                hint="clone() the template, then reconfigure() what came of it",
            )
        disks = [*spec.disks, *([DiskSpec(device="cdrom", source=spec.media)] if spec.media is not None else [])]
        ordered = check_boot_order(disks)
        instance = spec.uuid or str(uuid.uuid4())
        config_spec(spec, hints, instance, "")  # what cannot be written is refused before anything is looked for
        home = self._home_of(spec, hints, disks, deadline)
        if spec.uuid is not None and self._with_uuid(spec.uuid, True, deadline):
            raise errors.AlreadyExistsError(f"there is a domain with the UUID {spec.uuid} already")
        return _Draft(
            spec=spec,
            disks=disks,
            home=home,
            uuid=instance,
            config=config_spec(spec, hints, instance, home.store_name),
            drives=self.plan_drives(disks, deadline),
            nics=self.plan_nics(spec.nics, deadline, host=home.host),
            ordered=ordered,
        )

    def _home_of(
        self, spec: DomainSpec, hints: Mapping[str, Any], disks: Sequence[DiskSpec], deadline: Deadline
    ) -> Home:
        pools = [disk.pool for disk in disks if disk.pool is not None and disk.device == "disk"]
        networks = [nic.network for nic in spec.nics if nic.network is not None]
        return self.choose_home(hints, pools, networks, deadline)

    # ---- making ------------------------------------------------------------------------------------------

    def _create_steps(self, draft: _Draft, making: Making) -> Steps[DomainInfo]:
        new = NewDomain(draft.uuid, {drive.source for drive in draft.drives if drive.source and not drive.needs_copy})
        making.takes_back(f"domain {draft.spec.name!r}", lambda exc: self.remove_made(new, exc))
        first = next((n for n, drive in enumerate(draft.drives) if drive.needs_copy), len(draft.drives))
        slots, changes = Slots(), []
        changes = [drive.change(slots) for drive in draft.drives[:first]]
        changes += [nic.change(slots) for nic in draft.nics]
        draft.config.deviceChange = [*slots.changes, *changes]
        if draft.spec.pci_order:
            fix_slots(draft.config.deviceChange)
        spots = _spots(changes[:first], slots, ())
        making.check()
        yield from self._make(draft, new)
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

    def _make(self, draft: _Draft, new: NewDomain) -> Steps[None]:
        home = draft.home
        create = vim.Folder(home.folder, self.stub).CreateVM_Task
        pool, host = vim.ResourcePool(home.pool, self.stub), vim.HostSystem(home.host, self.stub)
        new.asked = True
        new.native_id = yield self.start_task(
            create, draft.config, pool, host, deadline=self.soon(), result=lambda made: str(made._moId)
        )
        if draft.spec.uuid is not None and self.subject(new.native_id, self.soon()).uuid != draft.uuid:
            raise errors.AlreadyExistsError(
                f"vSphere gave the new domain another UUID than {draft.uuid}: there is one with that already"
            )

    def _add_more(self, draft: _Draft, new: NewDomain, first: int, making: Making) -> Steps[list[Spot]]:
        """Add what lies in the domain's directory, and the drives that come after such; return where those are."""
        vm = self.subject(new.native_id, self.soon())
        slots, spec = Slots(vm.devices), vim.vm.ConfigSpec()
        stem = posixpath.splitext(vm.path)[0]
        changes = []
        for number, drive in enumerate(draft.drives[first:], start=first):
            making.check()
            path = f"{stem}-{number}.vmdk" if drive.needs_copy else None
            if path is not None:
                new.files.append(path)
                yield from self.copy_drive(drive, path, draft.home.store)
            changes.append(drive.change(slots, path))
        spots = _spots(changes, slots, vm.devices)
        if draft.spec.cloud_init is not None:
            making.check()
            image = self._put_seed(draft, new, vm)
            (seed,) = self.plan_drives([DiskSpec(device="cdrom", source=image)], self.soon())
            changes.append(seed.change(slots))
            spec.extraConfig = [vim.option.OptionValue(key=SEED, value=image)]
        spec.deviceChange = [*slots.changes, *changes]
        making.check()
        yield self._reconfigure_new(new, spec)
        return spots

    def _put_seed(self, draft: _Draft, new: NewDomain, vm: Subject) -> str:
        assert draft.spec.cloud_init is not None
        image = seed_path(vm.path, vm.uuid)
        store = self.store(draft.home.store, self.soon())
        inside = store.inside(image)
        if inside is None:
            raise errors.OperationFailedError(f"the domain's directory is not on {store.name!r}: {vm.path}")
        new.files.append(image)
        data = seed_image(draft.spec.cloud_init, name=draft.spec.name, instance=vm.uuid)
        self.upload_file(store, inside, data)
        return image

    def _reconfigure_new(self, new: NewDomain, spec: vim.vm.ConfigSpec) -> Any:
        return self.start_task(self.vm(new.native_id).ReconfigVM_Task, spec, deadline=self.soon())


def _spots(changes: Sequence[Any], slots: Slots, devices: Sequence[Any]) -> list[Spot]:
    known = [*devices, *(change.device for change in slots.changes)]
    return [spot_of(change.device, known) for change in changes]
