"""Carrying the disks of a domain that is off to another storage repository, on versions that do not do it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import XenAPI
from hvsdk.driver import Steps, StepsTask, finish

from hvsdk_xen._verbs import FAILURES, VerbSession

__all__ = ["DiskCarrier"]

UNDO_SECONDS = 60.0
_KEPT = frozenset(
    (
        *("VM", "userdevice", "bootable", "mode", "type", "unpluggable", "empty", "other_config"),
        *("qos_algorithm_type", "qos_algorithm_params"),
    )
)
"""Fields of a drive that the one with the copy has too."""


class DiskCarrier(VerbSession):
    """Copies disks, and puts the copies in their place."""

    def carry(self, vm: Mapping[str, Any], targets: Mapping[str, str]) -> Steps[None]:
        """Move the VM's disks, each to its SR; all are copied before the first is exchanged.

        What fails before leaves the domain as it was, and no copy. Snapshots keep their own disks where they are.
        """
        drives = {ref: self.call("VBD.get_record", ref, deadline=self.soon()) for ref in vm.get("VBDs", ())}
        copies: dict[str, str] = {}
        spare: set[str] = set()
        try:
            for vdi, storage in targets.items():
                if self.call("VDI.get_SR", vdi, deadline=self.soon()) != storage:
                    copies[vdi] = yield self.start_task("VDI.copy", vdi, storage, deadline=self.soon())
                    spare.add(copies[vdi])
            for ref, drive in drives.items():
                copy = copies.get(drive.get("VDI", ""))
                if copy is not None:
                    spare.discard(copy)  # from here on it may be the domain's
                    self._exchange(ref, drive, copy)
        except BaseException as exc:
            self._drop(spare, exc)
            raise
        for vdi in copies:
            yield self.start_task("VDI.destroy", vdi, deadline=self.soon())

    def _exchange(self, ref: str, drive: Mapping[str, Any], copy: str) -> None:
        """Put a copy into a drive's place; should that be refused, the drive is as it was and the copy is gone."""
        kept = {name: value for name, value in drive.items() if name in _KEPT}
        emptied = False
        try:
            self.call("VBD.destroy", ref, deadline=self.soon())
            emptied = True
            self.call("VBD.create", kept | {"VDI": copy}, deadline=self.soon())
        except XenAPI.Failure as exc:
            self._put_back(kept | {"VDI": drive["VDI"]} if emptied else None, copy, exc)
            raise

    def _put_back(self, drive: Mapping[str, Any] | None, copy: str, exc: BaseException) -> None:
        try:
            if drive is not None:
                self.call("VBD.create", drive, deadline=self.soon())
        except FAILURES as failure:
            exc.add_note(f"hvsdk: a disk is in no drive any more, and could not be put back: {failure}")
        else:
            self._drop((copy,), exc)

    def _drop(self, copies: Iterable[str], exc: BaseException) -> None:
        for copy in copies:
            try:
                finish(StepsTask(self._destroy_copy(copy)), UNDO_SECONDS)
            except FAILURES as failure:
                exc.add_note(f"hvsdk: a copy of a disk was made, and could not be removed again: {failure}")

    def _destroy_copy(self, copy: str) -> Steps[None]:
        yield self.start_task("VDI.destroy", copy, deadline=self.soon())
