"""What a host without a vCenter makes a full clone of: a configuration like the original's, and its devices. No I/O."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.driver import Capability, errors
from pyVmomi import vim

from hvsdk_vmware._cloud_init import empty_seed
from hvsdk_vmware._extra_config import METADATA_PREFIX, TAGS_KEY, of_one_domain

__all__ = ["boot_order_of", "controllers_by_place", "copied_config", "copied_devices", "place_of"]

device = vim.vm.device
_ENTRIES = (METADATA_PREFIX, TAGS_KEY, "guestinfo.", "disk.EnableUUID")
"""Entries of `extraConfig` that are copied; others are the host's, or say where the original's files are."""
_BUILT_IN = (
    *(device.VirtualKeyboard, device.VirtualPointingDevice, device.VirtualVideoCard, device.VirtualVMCIDevice),
    *(device.VirtualPS2Controller, device.VirtualPCIController, device.VirtualSIOController),
    *(device.VirtualIDEController, device.VirtualDisk),
)
"""Devices that every domain has, and disks, which follow."""
_BOUND = (
    *(device.VirtualPCIPassthrough, device.VirtualTPM, device.VirtualSCSIPassthrough),
    *(device.VirtualNVDIMM, device.VirtualNVDIMMController),
)
"""Devices that are there once, and modules of memory, whose file both domains would write to."""
_FIELDS = (
    *("version", "guestId", "annotation", "firmware", "cpuHotAddEnabled", "memoryHotAddEnabled"),
    *("nestedHVEnabled", "cpuAllocation", "memoryAllocation"),
)


def copied_config(config: vim.vm.ConfigInfo, *, name: str, uuid: str, store: str) -> vim.vm.ConfigSpec:
    """Return the configuration of a copy, but for its devices and the order in which it boots.

    Args:
        name: As the server writes it.
        uuid: vSphere's own UUID of the copy.
        store: Name of the datastore of its directory, as the server writes it.
    """
    options = config.bootOptions
    return vim.vm.ConfigSpec(
        name=name,
        instanceUuid=uuid,
        files=vim.vm.FileInfo(vmPathName=f"[{store}]"),
        numCPUs=config.hardware.numCPU,
        numCoresPerSocket=config.hardware.numCoresPerSocket,
        memoryMB=config.hardware.memoryMB,
        bootOptions=vim.vm.BootOptions(efiSecureBootEnabled=options.efiSecureBootEnabled) if options else None,
        extraConfig=[
            vim.option.OptionValue(key=one.key, value=one.value)
            for one in config.extraConfig or ()
            if str(one.key).startswith(_ENTRIES) and not of_one_domain(str(one.key))
        ],
        **{field: getattr(config, field, None) for field in _FIELDS},
    )


def copied_devices(devices: Iterable[Any]) -> list[Any]:
    """Return changes that add such devices to a new domain: adapters with MACs of their own, no image for cloud-init.

    Raises:
        UnsupportedError: One cannot be had twice.
    """
    wanted = [one for one in devices if not isinstance(one, _BUILT_IN)]
    keys = {one.key: -100 - number for number, one in enumerate(wanted)}
    changes = []
    for one in wanted:
        if isinstance(one, _BOUND):
            raise errors.UnsupportedError(
                f"clone is not possible: {_label(one)} cannot be copied", capability=Capability.CLONE
            )
        made = copy.copy(one)
        made.key, made.controllerKey = keys[one.key], keys.get(one.controllerKey, one.controllerKey)
        made.deviceInfo = made.slotInfo = None
        if isinstance(made, device.VirtualController):
            made.device = []
        if isinstance(made, device.VirtualEthernetCard):
            made.addressType, made.macAddress, made.externalId = "generated", "", None
        empty_seed(made)
        changes.append(device.VirtualDeviceSpec(operation="add", device=made))
    return changes


def _label(one: Any) -> str:
    return str(getattr(one.deviceInfo, "label", None) or type(one).__name__)


def place_of(controller: Any) -> tuple[str, int]:
    """Return what tells a controller from others, in the original and in a copy."""
    return type(controller).__name__, int(controller.busNumber)


def controllers_by_place(devices: Iterable[Any]) -> dict[tuple[str, int], int]:
    """Return the keys of controllers by their places."""
    return {place_of(one): int(one.key) for one in devices if isinstance(one, device.VirtualController)}


def boot_order_of(config: vim.vm.ConfigInfo, devices: Iterable[Any], disks: Mapping[int, int]) -> list[Any]:
    """Return the order in which the original boots, with the keys of the copy's devices.

    Args:
        devices: Those of the copy.
        disks: Keys of the copy's disks by those of the original's.
    """
    order = list(getattr(config.bootOptions, "bootOrder", None) or ())
    cards = [one.key for one in config.hardware.device if isinstance(one, device.VirtualEthernetCard)]
    own = [one.key for one in devices if isinstance(one, device.VirtualEthernetCard)]
    keys = dict(zip(cards, own, strict=False)) | dict(disks)
    found = []
    for entry in order:
        made = copy.copy(entry)
        if hasattr(made, "deviceKey"):
            if made.deviceKey not in keys:
                continue
            made.deviceKey = keys[made.deviceKey]
        found.append(made)
    return found
