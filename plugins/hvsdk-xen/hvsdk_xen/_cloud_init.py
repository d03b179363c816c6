"""The NoCloud disk: user-data for cloud-init on a small ISO image named `cidata`, which is a disk of the domain."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

from hvsdk.driver import CloudInit, errors

from hvsdk_xen._drives import vdi_record
from hvsdk_xen._export import give_up
from hvsdk_xen._making import Making
from hvsdk_xen._steps import Steps
from hvsdk_xen._store import Storage
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._values import as_int
from hvsdk_xen._verbs import VerbSession

__all__ = ["SEED", "SeedMaker", "seed_image"]

SEED = "hvsdk-seed"
"""Key of a VBD's `other_config` which says that it is such a disk: it holds secrets, and goes with its domain."""
_LABEL = "cidata"
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


def seed_image(cloud_init: CloudInit, *, name: str, instance: str) -> bytes:
    """Return an ISO 9660 image with Joliet and Rock Ridge names, as cloud-init's NoCloud source expects it.

    Args:
        name: Becomes the guest's host name where no meta-data is given, as far as it can be one.
        instance: The instance id, so that another domain counts as a new machine.
    """
    files = {
        "user-data": cloud_init.user_data,
        "meta-data": cloud_init.meta_data if cloud_init.meta_data is not None else _meta_data(name, instance),
        "network-config": cloud_init.network_config,
    }
    return _iso({file: text.encode() for file, text in files.items() if text is not None})


def _meta_data(name: str, instance: str) -> str:
    """Return meta-data as JSON, which is YAML too and cannot be broken by a name."""
    host = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")[:63].strip("-")
    return json.dumps({"instance-id": instance, "local-hostname": host or f"vm-{instance[:8]}"}, indent=1) + "\n"


def _iso(files: Mapping[str, bytes]) -> bytes:
    import pycdlib  # dear to import, and seldom needed

    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, vol_ident=_LABEL, joliet=3, rock_ridge="1.09")
    try:
        for number, (name, data) in enumerate(files.items()):
            image.add_fp(io.BytesIO(data), len(data), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
        out = io.BytesIO()
        image.write_fp(out)
    finally:
        image.close()
    return out.getvalue()
