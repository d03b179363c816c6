"""The NoCloud disk: user-data for cloud-init on a small ISO image in the domain's directory, in a drive of its own.

It holds secrets and serves nobody else, so that it goes with its domain, whatever becomes of the disks, and is in no
drive of a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pyVmomi import vim

from hvsdk_vmware._drives import image_backing, plugged
from hvsdk_vmware._extra_config import SEED_KEY
from hvsdk_vmware._files import FileVerbs
from hvsdk_vmware._hardware import Subject, directory_of, file_of

__all__ = ["SeedFiles", "empty_seed", "is_seed", "seed_changes", "seed_path"]

_SEED_FILE = re.compile(r"(?:.*[/ ])?hvsdk-seed-[0-9a-f-]{36}\.iso", re.DOTALL)


def seed_path(vm_path: str, uuid: str) -> str:
    """Return where the image of a domain lies: beside its configuration, with its own UUID in the name."""
    directory = directory_of(vm_path)
    return f"{directory}{'/' if not directory.endswith(']') else ' '}{_file_name(uuid)}"


def _file_name(uuid: str) -> str:
    return f"hvsdk-seed-{uuid}.iso"


def is_seed(path: str) -> bool:
    """Whether a file is some domain's image for cloud-init, as its name says."""
    return _SEED_FILE.fullmatch(path) is not None


def empty_seed(drive: Any) -> bool:
    """Take the image for cloud-init out of a drive that a copy is to have, and return whether there was one.

    It is the original's, goes with it, and says who the guest is.
    """
    if not isinstance(drive, vim.vm.device.VirtualCdrom) or not is_seed(file_of(drive)):
        return False
    drive.backing, drive.connectable = image_backing(None), plugged(False)
    return True


def seed_changes(devices: Iterable[Any]) -> list[Any]:
    """Return the changes of a copy that leave out the images for cloud-init of what it is made from."""
    return [vim.vm.device.VirtualDeviceSpec(operation="edit", device=drive) for drive in devices if empty_seed(drive)]


class SeedFiles(FileVerbs):
    """Puts images for cloud-init on datastores, and finds them again."""

    def seed_of(self, vm: Subject) -> tuple[str, list[Any]]:
        """Return a domain's own image, `""` for none, and the drives that it is in.

        What a copy shows of its original's is not its own.
        """
        path = vm.extra_config.get(SEED_KEY, "")
        if not vm.uuid or not path.endswith(_file_name(vm.uuid)):
            return "", []
        cdroms = (device for device in vm.devices if isinstance(device, vim.vm.device.VirtualCdrom))
        return path, [cdrom for cdrom in cdroms if file_of(cdrom) == path]
