"""Clones: full copies that owe the original nothing, or new disks on the same blocks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Capability, Deadline, DomainInfo, Steps, Task, Unsupported, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._cloud_init import is_seed, seed_changes
from hvsdk_vmware._extra_config import of_one_domain
from hvsdk_vmware._fields import NOTHING, Element, Values, child, options, text
from hvsdk_vmware._ground import GROUND
from hvsdk_vmware._host_clone import HostCloneVerbs
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._left_out import DEVICES, refuse_left_out
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._making import Making, look_for
from hvsdk_vmware._names import written
from hvsdk_vmware._snapshot_tree import TREE_PATHS, snapshots_in
from hvsdk_vmware._snapshots import SnapshotVerbs
from hvsdk_vmware._templates import TemplateReads
from hvsdk_vmware._undo_create import NewDomain, id_of_made

__all__ = ["CloneVerbs"]

CONFIG = frozenset({"config"})
_FULL, _LINKED = "moveAllDiskBackingsAndDisallowSharing", "createNewChildDiskBacking"
_EXTRA = "config.extraConfig"
_BEFORE = ("name", "parent", "parentVApp", "config.template", "runtime.host", _EXTRA, DEVICES)


class CloneVerbs(TemplateReads, SnapshotVerbs, HostCloneVerbs, LabelVerbs, ListingReads):
    """`clone`."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.is_vcenter:
            reason = "an ESXi host has no clones of its own: hvsdk copies the disks of a domain that is off"
            for capability in (Capability.CLONE_LINKED, Capability.CLONE_RUNNING, Capability.CLONE_LINKED_RUNNING):
                limits.setdefault(capability, Unsupported(reason))
        return limits

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Task[DomainInfo]:
        """Copy a domain, also one that runs: its disks are then as after a power cut.

        The copy is off, lies in the folder and resource pool of the original, and has another UUID and other MACs, also
        in place of such as were chosen by hand. A copy that fails, or is given up before its end was told, is removed
        again. A linked one lies on a snapshot of the original that is made for it, and stays.
        """
        if not self.is_vcenter:
            return self.clone_on_host(native_id, name, deadline)
        called = written(name)
        before = self.read_vm(native_id, _BEFORE, deadline).values
        if linked and text(before, "config.template") == "true":
            raise errors.UnsupportedError(
                "clone_linked is not possible of a template: it takes no snapshot, on which a linked clone lies",
                capability=Capability.CLONE_LINKED,
            )
        if linked:
            refuse_left_out(before, Capability.CLONE_LINKED)
        copying = _Copying(self, native_id, called, before)
        return copying.making.begin(lambda: copying.steps(linked))

    def folder_of(self, values: Values, deadline: Deadline) -> vim.Folder:
        """Return the folder that a domain is in, or the vApp it belongs to.

        Raises:
            UnsupportedError: This user sees neither.
        """
        folder, vapp = text(values, "parent"), text(values, "parentVApp")
        if not folder and vapp:
            folder = self.property_of(vim.VirtualApp(vapp, self.stub), "parentFolder", deadline)
        if not folder:
            raise errors.UnsupportedError(
                "the folder of the domain is not shown to this user, and a clone needs one",
                capability=Capability.CLONE,
            )
        return vim.Folder(folder, self.stub)

    def with_tags_of(self, native_id: str, copy: DomainInfo) -> DomainInfo:
        """Give a copy the tags of its original: vCenter copies none of its own.

        Those that this user may not give are left out, as when a copy is made in vSphere's client.
        """
        tags = self.read_tags_of([native_id], self.soon())[0].get(native_id)
        if not tags:
            return copy
        try:
            self.write_tags_of(copy.native_id, tags, self.soon())
        except errors.PermissionDeniedError:
            return copy
        return self.get_domain(copy.native_id, CONFIG, deadline=self.soon())

    def changes_of_copy(self, native_id: str, before: Values, deadline: Deadline) -> list[Any]:
        """Return the changes of devices that vSphere would copy as they are.

        Adapters whose MACs were chosen by hand get new ones, and the image for cloud-init is taken out of its drive.
        """
        if not any(map(_only_for_one, before.get(DEVICES, NOTHING))):
            return []
        devices = self.subject(native_id, deadline).devices
        changes = seed_changes(devices)
        for device in devices:
            if isinstance(device, vim.vm.device.VirtualEthernetCard) and (device.addressType or "").lower() == "manual":
                device.addressType, device.macAddress = "generated", ""
                changes.append(vim.vm.device.VirtualDeviceSpec(operation="edit", device=device))
        return changes


def _only_for_one(device: Element) -> bool:
    """Whether a device cannot be in a copy as it is."""
    return child(device, "addressType").lower() == "manual" or is_seed(child(device, "backing", "fileName"))


class _Copying:
    """One clone: what was made for it so far."""

    def __init__(self, driver: CloneVerbs, native_id: str, called: str, before: Values) -> None:
        self.making = Making()
        self._driver = driver
        self._native_id = native_id
        self._called = called
        self._before = before
        self._new = NewDomain(str(uuid.uuid4()))
        self._ground: str | None = None
        self._ground_may_be_there = False
        self._copy_may_be_there = False

    def steps(self, linked: bool) -> Steps[DomainInfo]:
        driver, making = self._driver, self.making
        making.takes_back("the snapshot that it was to lie on", self._drop_ground)
        making.takes_back(f"domain {self._called!r}", self._drop_copy)
        spec = self._spec(linked)
        folder = driver.folder_of(self._before, driver.soon())
        if linked:
            told = f"the linked clone {self._new.uuid} lies on it: it can be deleted when that is gone"
            self._ground_may_be_there = True
            ground = yield from driver.making_snapshot(self._native_id, GROUND, told, driver.soon())
            self._ground = ground.id
            spec.snapshot = driver.snapshot(ground.id)
        making.check()
        self._new.asked = self._copy_may_be_there = True
        begin = driver.vm(self._native_id).Clone
        self._new.task = driver.start_task(
            begin, folder, self._called, spec, deadline=driver.soon(), asking=self._native_id, result=id_of_made
        )
        self._new.native_id = yield self._new.task
        making.check()
        info = driver.get_domain(self._new.native_id, CONFIG, deadline=driver.soon())
        return driver.with_tags_of(self._native_id, info)

    def _spec(self, linked: bool) -> vim.vm.CloneSpec:
        driver, values = self._driver, self._before
        pool = host = None
        if text(values, "config.template") == "true":
            pool, host = driver.place_of_template(values, driver.soon())
        entries = [
            vim.option.OptionValue(key=key, value="") for key, _ in options(values, _EXTRA) if of_one_domain(key)
        ]
        config = vim.vm.ConfigSpec(
            instanceUuid=self._new.uuid,
            extraConfig=entries,
            deviceChange=driver.changes_of_copy(self._native_id, values, driver.soon()),
        )
        location = vim.vm.RelocateSpec(pool=pool, host=host, diskMoveType=_LINKED if linked else _FULL)
        return vim.vm.CloneSpec(location=location, config=config, template=False, powerOn=False)

    def _drop_copy(self, exc: BaseException) -> None:
        self._driver.remove_made(self._new, exc)
        self._copy_may_be_there = False

    def _drop_ground(self, exc: BaseException) -> None:
        """Remove the snapshot again, but not from under a copy."""
        if self._ground is None and self._ground_may_be_there and not isinstance(exc, vmodl.MethodFault):
            self._ground = look_for(self._find_ground)
            if self._ground is None:
                raise errors.OperationFailedError(f"it is not known whether it was made; it is called {GROUND}")
        if self._ground is None:
            return
        if self._copy_may_be_there:
            raise errors.OperationFailedError(f"snapshot {self._ground} stays: the copy may lie on it")
        self._driver.remove_again(self._ground, exc)

    def _find_ground(self) -> str | None:
        """Return the snapshot whose answer was lost: it names the copy that it was made for."""
        driver = self._driver
        found = snapshots_in(driver.read_vm(self._native_id, TREE_PATHS, driver.soon()).values)
        return next((one.id for one in found if self._new.uuid in (one.description or "")), None)
