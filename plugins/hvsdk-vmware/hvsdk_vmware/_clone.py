"""Clones: full copies that owe the original nothing, or new disks on the same blocks."""

from __future__ import annotations

import threading
import time
import uuid
from http.client import HTTPException
from typing import Any

from hvsdk.driver import (
    FENCE_KEY,
    BackgroundTask,
    Capability,
    Deadline,
    DomainInfo,
    Steps,
    StepsTask,
    Task,
    Unsupported,
    errors,
    finish,
)
from pyVmomi import vim, vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._extra_config import METADATA_PREFIX
from hvsdk_vmware._fields import NOTHING, Values, child, options, text
from hvsdk_vmware._ground import GROUND
from hvsdk_vmware._hardware import HardwareReads
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._left_out import DEVICES, refuse_left_out
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._names import written
from hvsdk_vmware._notes import add_note
from hvsdk_vmware._snapshots import SnapshotVerbs
from hvsdk_vmware._templates import PLACE_KEY, TemplateReads
from hvsdk_vmware._wire import UnreachableError

__all__ = ["CloneVerbs"]

UNDO_SECONDS = 60.0
LATE_SECONDS = 5.0
"""How long is looked for what a server may still make whose answer was lost."""
_LOOK_AGAIN_SECONDS = 0.25
_LOST = (ConnectionError, HTTPException, AnswerError, TimeoutError)
_OF_ONE_DOMAIN = METADATA_PREFIX + FENCE_KEY.partition(".")[0] + "."
"""Marks such as a fence or where a domain came from, which a copy must not bear."""
_FULL, _LINKED = "moveAllDiskBackingsAndDisallowSharing", "createNewChildDiskBacking"
_EXTRA = "config.extraConfig"
_BEFORE = ("name", "parent", "parentVApp", "config.template", "runtime.host", _EXTRA, DEVICES)


class CloneVerbs(TemplateReads, SnapshotVerbs, HardwareReads, LabelVerbs, ListingReads):
    """`clone`."""

    def host_limits(self, *, deadline: Deadline) -> dict[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.is_vcenter:
            for capability in (Capability.CLONE, Capability.CLONE_LINKED):
                limits.setdefault(capability, Unsupported("an ESXi host clones nothing by itself: it takes a vCenter"))
        return limits

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Task[DomainInfo]:
        """Copy a domain, also one that runs: its disks are then as after a power cut.

        The copy is off, lies in the folder and resource pool of the original, and has another UUID and other MACs, also
        in place of such as were chosen by hand. A copy that fails, or is given up before its end was told, is removed
        again. A linked one lies on a snapshot of the original that is made for it, and stays.
        """
        called = written(name)
        before = self.read_vm(native_id, _BEFORE, deadline).values
        if linked:
            refuse_left_out(before, Capability.CLONE_LINKED)
        return _CloneTask(_Copying(self, native_id, called, before), linked=linked, deadline=deadline)

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

    def made_with(self, instance: str) -> list[str]:
        """Return the domains with this UUID of vSphere's own: the copy that was given it, if it is there."""
        return self._with_uuid(instance, True, self.soon())

    def cards_by_hand(self, native_id: str, before: Values, deadline: Deadline) -> list[Any]:
        """Return changes that give new MACs to those adapters whose MACs were chosen by hand: vSphere copies those."""
        if not any(child(device, "addressType").lower() == "manual" for device in before.get(DEVICES, NOTHING)):
            return []
        changes = []
        for device in self.subject(native_id, deadline).devices:
            if isinstance(device, vim.vm.device.VirtualEthernetCard) and (device.addressType or "").lower() == "manual":
                device.addressType, device.macAddress = "generated", ""
                changes.append(vim.vm.device.VirtualDeviceSpec(operation="edit", device=device))
        return changes


class _Copying:
    """One clone: what was made for it so far."""

    def __init__(self, driver: CloneVerbs, native_id: str, called: str, before: Values) -> None:
        self.stop = threading.Event()
        self._driver = driver
        self._native_id = native_id
        self._called = called
        self._before = before
        self._uuid = str(uuid.uuid4())
        self._ground: str | None = None
        self._made: str | None = None

    def steps(self, linked: bool, deadline: Deadline) -> Steps[DomainInfo]:
        asked = False
        try:
            spec = self._spec(linked, deadline)
            if linked:
                told = "a linked clone lies on it: it can be deleted when that is gone"
                ground = yield from self._driver.making_snapshot(self._native_id, GROUND, told, deadline)
                self._ground = ground.id
                spec.snapshot = self._driver.snapshot(ground.id)
            self._check()
            folder = self._driver.folder_of(self._before, self._driver.soon())
            asked = True
            begin = self._driver.vm(self._native_id).Clone
            self._made = yield self._driver.start_task(
                begin, folder, self._called, spec, deadline=self._driver.soon(), asking=self._native_id, result=_id_of
            )
            self._check()
            info = self._driver.get_domain(self._made, frozenset({"config"}), deadline=self._driver.soon())
            self._check()
        except BaseException as exc:
            self._take_back(exc, asked=asked)
            raise
        return info

    def _spec(self, linked: bool, deadline: Deadline) -> vim.vm.CloneSpec:
        driver, values = self._driver, self._before
        pool, host = (
            driver.place_of_template(values, deadline) if text(values, "config.template") == "true" else (None, None)
        )
        entries = [
            vim.option.OptionValue(key=key, value="")
            for key, _ in options(values, _EXTRA)
            if key.startswith(_OF_ONE_DOMAIN) or key == PLACE_KEY
        ]
        config = vim.vm.ConfigSpec(
            instanceUuid=self._uuid,
            extraConfig=entries,
            deviceChange=driver.cards_by_hand(self._native_id, values, deadline),
        )
        location = vim.vm.RelocateSpec(pool=pool, host=host, diskMoveType=_LINKED if linked else _FULL)
        return vim.vm.CloneSpec(location=location, config=config, template=False, powerOn=False)

    def _check(self) -> None:
        """Stop here when the caller has given up."""
        if self.stop.is_set():
            raise BackgroundTask.cancelled()

    # ---- taking back -------------------------------------------------------------------------------------

    def _take_back(self, exc: BaseException, *, asked: bool) -> None:
        """Remove what was made; a ground stays as long as a copy may be there that lies on it."""
        lost = isinstance(exc, (*_LOST, errors.ConnectError)) and not isinstance(exc, UnreachableError)
        try:
            if asked and self._made is None and not self._find(LATE_SECONDS if lost else 0.0) and lost:
                add_note(exc, "it is not known whether the clone was made: look for it by its name")
                return
            if self._made is not None:
                self._destroy(self._made)
        except FAILURES as failure:
            add_note(exc, f"the clone {self._made or self._called} could not be removed again: {failure}")
            return
        if self._ground is not None:
            self._driver.remove_again(self._ground, exc)

    def _find(self, seconds: float) -> bool:
        """Find the copy whose making did not come to its end, or was not told to."""
        limit = Deadline(seconds)
        while True:
            found = self._driver.made_with(self._uuid)
            if found:
                self._made = found[0]
                return True
            if limit.expired:
                return False
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _destroy(self, made: str) -> None:
        limit = Deadline(UNDO_SECONDS)
        while True:
            try:
                destroy = self._driver.vm(made).Destroy_Task
                finish(self._driver.start_task(destroy, deadline=self._driver.soon()), UNDO_SECONDS)
            except vmodl.fault.ManagedObjectNotFound:
                return
            except vim.fault.TaskInProgress:
                if limit.expired:
                    raise
                time.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return


class _CloneTask(StepsTask[DomainInfo]):
    """The steps of a clone, which are taken back when the caller gives up between two of them."""

    def __init__(self, copying: _Copying, *, linked: bool, deadline: Deadline) -> None:
        self._copying = copying
        super().__init__(copying.steps(linked, deadline))

    def cancel(self) -> None:
        self._copying.stop.set()
        super().cancel()


def _id_of(made: Any) -> str:
    if not isinstance(made, vim.VirtualMachine):
        raise errors.OperationFailedError(f"vSphere cloned a domain, and said that it is {made!r}")
    return str(made._moId)
