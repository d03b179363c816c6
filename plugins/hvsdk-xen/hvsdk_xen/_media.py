"""Images in CD-ROM drives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Deadline, errors

from hvsdk_xen._devices import disk_ids
from hvsdk_xen._hardware import HardwareVerbs, Subject
from hvsdk_xen._store import StoreReads
from hvsdk_xen._values import is_ref
from hvsdk_xen._verbs import FAILURES

__all__ = ["MediaVerbs"]


class MediaVerbs(StoreReads, HardwareVerbs):
    """`insert_media` and `eject_media`."""

    def insert_media(self, native_id: str, source: str, *, drive: str | None, deadline: Deadline) -> str:
        """Put an image into a drive; one that is in it is taken out first, and put back when the new one is refused."""
        vm = self.subject(native_id, deadline)
        drive_id, ref, record = self._media_drive(vm, drive, deadline)
        image = self.find_media(source, deadline)
        present = _image(record)
        if present == image.ref:
            return drive_id
        if present is not None:
            self.call("VBD.eject", ref, deadline=deadline)
        try:
            self.call("VBD.insert", ref, image.ref, deadline=deadline)
        except BaseException as exc:
            if present is not None:
                self._put_image_back(ref, present, exc)
            raise
        return drive_id

    def _put_image_back(self, ref: str, image: str, exc: BaseException) -> None:
        try:
            self.call("VBD.insert", ref, image, deadline=self.soon())
        except FAILURES as failure:
            exc.add_note(f"hvsdk: the image that was in the drive could not be put back: {failure}")

    def eject_media(self, native_id: str, *, drive: str | None, deadline: Deadline) -> None:
        vm = self.subject(native_id, deadline)
        _, ref, record = self._media_drive(vm, drive, deadline)
        if _image(record) is not None:
            self.call("VBD.eject", ref, deadline=deadline)

    def _media_drive(self, vm: Subject, drive: str | None, deadline: Deadline) -> tuple[str, str, Mapping[str, Any]]:
        """Return a CD-ROM drive's id, reference and record; the first drive's where none is named."""
        found = self.drives(vm, deadline)
        ids = disk_ids(found)
        cds = [(key, ref, found[ref]) for ref, key in ids.items() if found[ref].get("type") == "CD"]
        if drive is None:
            if not cds:
                raise errors.DiskNotFoundError(
                    f"{vm.name!r} has no CD-ROM drive", hint="attach one: DiskSpec(device='cdrom')"
                )
            return cds[0]
        chosen = next((cd for cd in cds if cd[0] == drive), None)
        if chosen is None:
            what = "is no CD-ROM drive" if drive in ids.values() else "is not there"
            raise errors.DiskNotFoundError(f"the drive {drive!r} of {vm.name!r} {what}")
        return chosen


def _image(drive: Mapping[str, Any]) -> str | None:
    """Return the reference of the image in a drive."""
    vdi = drive.get("VDI")
    return None if drive.get("empty") or not is_ref(vdi) else str(vdi)
