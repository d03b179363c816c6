"""The NoCloud disk: user-data for cloud-init on a small ISO image named `cidata`, which is a disk of the domain."""

from __future__ import annotations

from hvsdk.driver import Steps, errors

from hvsdk_xen._drives import vdi_record
from hvsdk_xen._export import give_up
from hvsdk_xen._making import Making
from hvsdk_xen._store import Storage
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._values import as_int
from hvsdk_xen._verbs import VerbSession

__all__ = ["SEED", "SeedMaker"]

SEED = "hvsdk-seed"
"""Key of a VBD's `other_config` which says that it is such a disk: it holds secrets, and goes with its domain."""
_OK = 200


class SeedMaker(VerbSession):
    """Makes disks for cloud-init."""

    def make_seed(self, making: Making, storage: Storage, data: bytes, name: str) -> Steps[str]:
        """Make a volume with this content, and return its reference."""
        vdi = making.create("VDI", vdi_record(f"{name} cloud-init", len(data), storage, None))
        size = as_int(self.call("VDI.get_virtual_size", vdi, deadline=self.soon())) or len(data)
        task = str(self.call("task.create", "hvsdk: cloud-init", "", deadline=self.soon()))
        following: XenTask[None] = self.follow_task(task, "import_raw_vdi", lambda _: None)
        try:
            with self.http(
                self.receiver_of(storage.ref, self.soon()),
                "PUT",
                "/import_raw_vdi",
                {"vdi": vdi, "format": "raw"},
                deadline=self.soon(),
                length=size,
                task=task,
            ) as exchange:
                exchange.send(data.ljust(size, b"\0"))
                status = exchange.answer()
        except BaseException:
            give_up(self, following)
            raise
        if status != _OK:
            give_up(self, following)
            raise errors.OperationFailedError(f"the disk for cloud-init was refused: HTTP {status}")
        yield following
        return vdi
