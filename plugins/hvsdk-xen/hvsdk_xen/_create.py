"""Making domains, from a template or from nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from hvsdk.cloud_init import seed_image
from hvsdk.driver import Deadline, DiskSpec, DomainInfo, DomainSpec, Result, Steps, errors

from hvsdk_xen._cloud_init import SEED, SeedMaker
from hvsdk_xen._drives import DrivePlan, DrivePlans, drive_numbers, vbd_record
from hvsdk_xen._hints import DOMAIN_HINTS, read_hints
from hvsdk_xen._making import Making
from hvsdk_xen._nics import NicPlan, NicPlans
from hvsdk_xen._places import NoPlaceError, Places
from hvsdk_xen._store import Storage
from hvsdk_xen._templates import Template, TemplateVerbs
from hvsdk_xen._values import NULL
from hvsdk_xen._vm_record import bios_strings, boot_order, check_wishes, vm_record

__all__ = ["CreateVerbs"]

_SET_BIOS_STRINGS = "VM.set_bios_strings"


@attrs.frozen(kw_only=True)
class _Draft:
    """All that is known before anything is made."""

    spec: DomainSpec
    hints: Mapping[str, Any]
    drives: list[DrivePlan]
    nics: list[NicPlan]
    order: str
    affinity: str
    template: Template | None
    seed: Storage | None
    """Where the disk for cloud-init goes."""


class CreateVerbs(DrivePlans, NicPlans, TemplateVerbs, SeedMaker, Places):
    """`create_domain`.

    Disks of the specification are added to those that a template has of its own; those that it only asks for are left
    out when the specification has any. Adapters of the specification take the place of the template's.
    """

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> Result[DomainInfo]:
        draft = self._draft_domain(spec, deadline)
        making = Making(self)
        return making.begin(lambda: self._create_steps(draft, making))

    def _draft_domain(self, spec: DomainSpec, deadline: Deadline) -> _Draft:
        hints = read_hints(spec.hints, DOMAIN_HINTS)
        check_wishes(spec)
        if spec.smbios and not self.has_message(_SET_BIOS_STRINGS):
            raise errors.InvalidSpecError("this version of the product leaves the guest's SMBIOS as it is")
        template = None if spec.template is None else self.find_template(spec.template, deadline)
        disks = list(spec.disks)
        disks += [DiskSpec(device="cdrom", source=spec.media)] if spec.media is not None else []
        if template is None:
            drive_numbers([disk.device == "cdrom" for disk in disks])
        draft = _Draft(
            spec=spec,
            hints=hints,
            drives=self.plan_drives(disks, deadline),
            nics=self.plan_nics(spec.nics, deadline),
            order=boot_order(disks),
            affinity=self._affinity(hints.get("affinity"), deadline),
            template=template,
            seed=None if spec.cloud_init is None else self._seed_place(disks, deadline),
        )
        if template is None:  # what cannot be written is refused before anything is made
            vm_record(spec, hints, draft.order, draft.affinity)
        return draft

    def _affinity(self, node: str | None, deadline: Deadline) -> str:
        if node is None:
            return NULL
        try:
            return self.find_node(node, deadline)
        except NoPlaceError as exc:
            raise errors.NodeNotFoundError(str(exc)) from exc

    def _seed_place(self, disks: list[DiskSpec], deadline: Deadline) -> Storage:
        named = next((disk.pool for disk in disks if disk.device == "disk" and disk.pool is not None), None)
        return self.find_sr(named, deadline)

    # ---- making ------------------------------------------------------------------------------------------

    def _create_steps(self, draft: _Draft, making: Making) -> Steps[DomainInfo]:
        spec = draft.spec
        if spec.autostart:
            self.let_pool_start_domains(self.soon())
        if draft.template is not None:
            vm = yield from self.make_from_template(making, draft.template, spec, draft.hints, draft.affinity)
        else:
            vm = making.create("VM", vm_record(spec, draft.hints, draft.order, draft.affinity))
        yield from self._make_all_drives(draft, making, vm)
        for number, nic in enumerate(draft.nics):
            making.create("VIF", nic.record(vm, str(number)))
        strings = bios_strings(spec)
        if strings:
            self.call(_SET_BIOS_STRINGS, vm, strings, deadline=self.soon())
        native_id = str(self.call("VM.get_uuid", vm, deadline=self.soon()))
        self._refs[native_id] = vm
        return self.get_domain(native_id, frozenset({"config"}), deadline=self.soon())

    def _make_all_drives(self, draft: _Draft, making: Making, vm: str) -> Steps[None]:
        cds = [drive.is_cd for drive in draft.drives] + [False] * (draft.seed is not None)
        free = self._free_numbers(draft, vm) if cds else None
        numbers = drive_numbers(cds, free)
        name = draft.spec.name
        bootable = draft.template is None
        for drive, number in zip(draft.drives, numbers, strict=False):
            yield from self.make_drive(making, drive, vm, name, number, first=bootable and not drive.is_cd)
            bootable = bootable and drive.is_cd
        if draft.seed is not None and draft.spec.cloud_init is not None:
            data = seed_image(draft.spec.cloud_init, name=name, instance=str(uuid.uuid4()))
            vdi = yield from self.make_seed(making, draft.seed, data, name)
            making.create("VBD", vbd_record(vm, vdi, numbers[-1], is_cd=False, config={SEED: "true"}))

    def _free_numbers(self, draft: _Draft, vm: str) -> list[str] | None:
        """Return the numbers that a template's own drives leave; `None` for all."""
        if draft.template is None:
            return None
        free: list[str] = self.call("VM.get_allowed_VBD_devices", vm, deadline=self.soon())
        return free
