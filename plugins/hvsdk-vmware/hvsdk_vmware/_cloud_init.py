"""The NoCloud disk: user-data for cloud-init on a small ISO image in the domain's directory, in a drive of its own.

It holds secrets and serves nobody else, so that it goes with its domain, whatever becomes of the disks.
"""

from __future__ import annotations

from typing import Any

from pyVmomi import vim

from hvsdk_vmware._files import FileVerbs
from hvsdk_vmware._hardware import Subject, directory_of, file_of

__all__ = ["SEED", "SeedFiles", "seed_path"]

SEED = "hvsdk-seed"
"""Key of a domain's `extraConfig` that has the image's path; copies of a domain have it too, but another UUID."""


def seed_path(vm_path: str, uuid: str) -> str:
    """Return where the image of a domain lies: beside its configuration, with its own UUID in the name."""
    directory = directory_of(vm_path)
    return f"{directory}{'/' if not directory.endswith(']') else ' '}{_file_name(uuid)}"


def _file_name(uuid: str) -> str:
    return f"hvsdk-seed-{uuid}.iso"


class SeedFiles(FileVerbs):
    """Puts images for cloud-init on datastores, and finds them again."""

    def seed_of(self, vm: Subject) -> tuple[str, list[Any]]:
        """Return a domain's own image, `""` for none, and the drives that it is in.

        A clone shows its original's image, which is not its own.
        """
        path = vm.extra_config.get(SEED, "")
        if not vm.uuid or not path.endswith(_file_name(vm.uuid)):
            return "", []
        cdroms = (device for device in vm.devices if isinstance(device, vim.vm.device.VirtualCdrom))
        return path, [cdrom for cdrom in cdroms if file_of(cdrom) == path]
