"""Removing domains, with or without their volumes."""

from __future__ import annotations

from typing import Literal

from hvsdk.driver import Deadline, Task

from hvsdk_hyperv._session import HyperVSession

__all__ = ["DeleteVerbs"]


class DeleteVerbs(HyperVSession):
    """`delete`."""

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> Task[None]:
        """Remove a domain. Its snapshots are merged first, so that each disk is one file again, named as it was before.

        Volumes go only if they are its own: what they lie on stays, as do images but for the one that was made for its
        cloud-init. Nothing happens when another domain or a checkpoint has one of them, when a disk lies on one (also
        where only snapshots would be merged into it), or when that cannot be read: as far as this host can see, see
        `delete_volume`. A domain of a cluster loses its role there.
        """
        return self.begin("delete.run", {"id": native_id, "disks": disks}, deadline=deadline)
