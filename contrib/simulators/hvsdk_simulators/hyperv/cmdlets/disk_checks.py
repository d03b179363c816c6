"""Whether the files of a virtual machine's disks are there, which is looked at when it starts."""

from __future__ import annotations

from hvsdk_simulators.hyperv.file_system import FileSystem
from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .errors import CmdletError

__all__ = ["confirm_files"]


def confirm_files(world: World, vm: Vm) -> None:
    """Fail when a disk or image of a VM is not there.

    Raises:
        CmdletError: As Hyper-V fails to start such a VM.
    """
    files = FileSystem(world)
    for drive in vm.hardware.drives:
        if drive.path and files.find(drive.path) is None:
            text = (
                f"'{vm.name}' failed to start.\r\nAttachment '{drive.path}' failed to open because of error: "
                "'The system cannot find the file specified.' (0x80070002)."
            )
            raise CmdletError("ObjectNotFound", "ObjectNotFound", text, hresult=0x80070002)
