"""Removing domains, with or without their volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs
import XenAPI
from hvsdk.driver import Deadline, PowerState, Result, Steps, errors, in_background

from hvsdk_xen._cloud_init import SEED
from hvsdk_xen._hardware import HardwareVerbs, Subject, has_volume
from hvsdk_xen._login import code_of
from hvsdk_xen._snapshots import SnapshotVerbs
from hvsdk_xen._store import StoreReads, Vdi
from hvsdk_xen._values import is_ref

__all__ = ["DeleteVerbs"]


@attrs.frozen(kw_only=True)
class _Doomed:
    """What goes."""

    vm: Subject
    snapshots: Mapping[str, Mapping[str, Any]]
    vdis: list[str]
    """Its own volumes, in the order in which they go."""
    vbds: frozenset[str]
    """All drives of the domain and of its snapshots."""


class DeleteVerbs(SnapshotVerbs, StoreReads, HardwareVerbs):
    """`delete`."""

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> Result[None]:
        """Remove a domain: its snapshots first, then its volumes, last its record.

        `VM.destroy` leaves all of them behind; what fails half-way leaves a domain that can be deleted again, and no disk
        that nobody shows. The disk for cloud-init, which holds secrets and serves nobody else, always goes.
        """
        vm = self.subject(native_id, deadline)
        _refuse(vm)
        snapshots = self.snapshot_records(vm.ref, deadline) if vm.record.get("snapshots", True) else {}
        vdis, vbds = self._own_volumes(vm, snapshots, deadline, seeds_only=disks == "keep")
        return in_background(self._delete_steps(_Doomed(vm=vm, snapshots=snapshots, vdis=vdis, vbds=vbds)))

    def _own_volumes(
        self, vm: Subject, snapshots: Mapping[str, Mapping[str, Any]], deadline: Deadline, *, seeds_only: bool
    ) -> tuple[list[str], frozenset[str]]:
        """Return the volumes that go with a domain, and all drives that may have them.

        Images are nobody's own, nor is what may be shared or is only read; what another domain has is refused.

        Raises:
            BusyError: One is a disk of another domain, too.
        """
        drives = {ref: drive for ref, drive in self.drives(vm, deadline).items() if has_volume(drive)}
        known = frozenset(drives).union(*(one.get("VBDs", ()) for one in (vm.record, *snapshots.values())))
        chosen = []
        for drive in drives.values():
            seed = SEED in drive.get("other_config", {})
            if seeds_only and not seed:
                continue
            vdi = self.vdi_of(str(drive["VDI"]), deadline)
            others = [vbd for vbd in vdi.record.get("VBDs", ()) if vbd not in known]
            if others and not seed:
                raise self._refuse_shared(vm, vdi, others[0], deadline)
            if not others and (seed or self._is_own_volume(drive, vdi, deadline)):
                chosen.append(vdi.ref)
        return list(dict.fromkeys(chosen)), known

    def _is_own_volume(self, drive: Mapping[str, Any], vdi: Vdi, deadline: Deadline) -> bool:
        if drive.get("mode") == "RO" or vdi.record.get("sharable") or vdi.record.get("read_only"):
            return False
        return not self.sr_of(vdi.sr, deadline).has_media

    def _refuse_shared(self, vm: Subject, vdi: Vdi, vbd: str, deadline: Deadline) -> errors.BusyError:
        other = self.call("VBD.get_VM", vbd, deadline=deadline)
        name = self.call("VM.get_name_label", other, deadline=deadline)
        return errors.BusyError(
            f"{vm.name!r} was not removed: its volume {vdi.uuid} ({vdi.name!r}) has to stay, it is a disk of {name!r}",
            lasting=True,
            hint="detach it there first, or delete with disks='keep'",
        )

    def _delete_steps(self, doomed: _Doomed) -> Steps[None]:
        yield from self.destroy_snapshots(doomed.snapshots)
        memory = doomed.vm.record.get("suspend_VDI")  # left by a run that was cut while it was saved
        for vdi in [*doomed.vdis, *([memory] if is_ref(memory) else [])]:
            try:
                self._refuse_attached_meanwhile(doomed, str(vdi))
                yield self.start_task("VDI.destroy", vdi, deadline=self.soon())
            except XenAPI.Failure as exc:
                if code_of(exc) != "HANDLE_INVALID":  # gone already
                    raise
        self.call("VM.destroy", doomed.vm.ref, deadline=self.soon())

    def _refuse_attached_meanwhile(self, doomed: _Doomed, vdi: str) -> None:
        """Look once more: removing the snapshots may take long, and XAPI takes a volume from a domain that is off."""
        others = [vbd for vbd in self.call("VDI.get_VBDs", vdi, deadline=self.soon()) if vbd not in doomed.vbds]
        if others:
            raise self._refuse_shared(doomed.vm, self.vdi_of(vdi, self.soon()), others[0], self.soon())


def _refuse(vm: Subject) -> None:
    """Refuse what the last step would be refused, before the first one."""
    if vm.record.get("power_state") != "Halted":
        state = vm.state
        hint = (
            "resume it, or power_off(discard_memory=True)" if state is PowerState.SUSPENDED else "power_off() it first"
        )
        raise errors.PowerStateError(f"{vm.name!r} cannot be removed: it is {state}", state=state, hint=hint)
    blocked = vm.record.get("blocked_operations", {}).get("destroy")
    if blocked is not None:
        raise errors.PermissionDeniedError(
            f"{vm.name!r} cannot be removed: that is blocked ({blocked})",
            hint="unfence() it, or unblock it, when that no longer holds",
            native_code="OPERATION_BLOCKED",
        )
    if vm.record.get("is_default_template"):
        raise errors.UnsupportedError(f"{vm.name!r} is a template of the product, which cannot be removed")
