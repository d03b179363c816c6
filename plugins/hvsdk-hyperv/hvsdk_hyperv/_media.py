"""Images in CD-ROM drives."""

from __future__ import annotations

from hvsdk.driver import Deadline

from hvsdk_hyperv._drives import image_place
from hvsdk_hyperv._session import HyperVSession

__all__ = ["MediaVerbs"]


class MediaVerbs(HyperVSession):
    """`insert_media` and `eject_media`."""

    def insert_media(self, native_id: str, source: str, *, drive: str | None, deadline: Deadline) -> str:
        """Put an image into a drive, in place of what is in it. A domain without one gets one, on IDE only while it is off.

        Args:
            source: Path of the image on the host, `folder/image`, or its name where the host makes disks.
        """
        folder, names = image_place(source)
        arguments = {"id": native_id, "drive": drive, "pool": folder, "names": names}
        return str(self.call("media.insert", arguments, deadline=deadline))

    def eject_media(self, native_id: str, *, drive: str | None, deadline: Deadline) -> None:
        """Take the image out of a drive; an empty one is left as it is."""
        self.call("media.eject", {"id": native_id, "drive": drive}, deadline=deadline)
