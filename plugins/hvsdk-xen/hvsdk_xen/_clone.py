"""Clones: full copies that owe the original nothing, or new disks on the same blocks."""

from __future__ import annotations

from typing import Any

from hvsdk.driver import Deadline, DomainInfo, Task

from hvsdk_xen._fence import FenceVerbs, is_fenced
from hvsdk_xen._labels import METADATA_PREFIX
from hvsdk_xen._steps import Steps, StepsTask, finish
from hvsdk_xen._values import NULL, is_ref
from hvsdk_xen._verbs import FAILURES, VerbSession

__all__ = ["CloneVerbs"]

_OF_ONE_DOMAIN = METADATA_PREFIX + "hvsdk."
"""Marks such as a fence or where a domain came from, which a copy must not bear."""
UNDO_SECONDS = 60.0


class CloneVerbs(FenceVerbs, VerbSession):
    """`clone`."""

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Task[DomainInfo]:
        """Copy a domain that is off.

        A full copy's disks lie each in the SR of its original. XAPI gives the copy another UUID and its adapters other
        MACs, also in place of such as were chosen by hand.
        """
        ref = self.vm_ref(native_id, deadline)
        message, *more = ("VM.clone",) if linked else ("VM.copy", NULL)
        return StepsTask(self._clone(message, ref, name, more, deadline))

    def _clone(self, message: str, ref: str, name: str, more: list[str], deadline: Deadline) -> Steps[DomainInfo]:
        made = yield self.start_task(message, ref, name, *more, deadline=deadline)
        try:
            record = self.call("VM.get_record", made, deadline=self.soon())
            self._clear_marks(made, record)
            return self.get_domain(record["uuid"], frozenset({"config"}), deadline=self.soon())
        except BaseException as exc:
            try:
                finish(StepsTask(self._remove(made)), UNDO_SECONDS)
            except FAILURES as failure:
                exc.add_note(f"hvsdk: the copy {name!r} was made, and could not be removed again: {failure}")
            raise

    def _clear_marks(self, made: str, record: dict[str, Any]) -> None:
        for key in record.get("other_config", {}):
            if key.startswith(_OF_ONE_DOMAIN):
                self.call("VM.remove_from_other_config", made, key, deadline=self.soon())
        if is_fenced(record):
            self.unblock(made, record, self.soon())

    def _remove(self, made: str) -> Steps[None]:
        """Undo a copy: its disks first, since `VM.destroy` leaves them."""
        for vbd in self.call("VM.get_VBDs", made, deadline=self.soon()):
            drive = self.call("VBD.get_record", vbd, deadline=self.soon())
            if drive.get("type") == "Disk" and is_ref(drive.get("VDI")):
                yield self.start_task("VDI.destroy", drive["VDI"], deadline=self.soon())
        self.call("VM.destroy", made, deadline=self.soon())
