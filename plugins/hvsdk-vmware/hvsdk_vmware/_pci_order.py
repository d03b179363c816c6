"""Fixed PCI slots, so that a guest finds its adapters in the order in which they were asked for.

vSphere numbers the slots of four PCI Express bridges 160, 192, 224 and 256, and each further function behind a bridge 1024
higher. Left to itself it fills the bridges in turn, so that guests find the fourth adapter before the first. Disk
controllers take the first bridge here, adapters the three others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hvsdk.driver import errors
from pyVmomi import vim

__all__ = ["fix_slots"]

_FIRST, _BRIDGE, _FUNCTION = 160, 32, 1024
_BRIDGES = 3
_EXPRESS = (vim.vm.device.VirtualVmxnet3, vim.vm.device.VirtualE1000e)


def fix_slots(changes: Sequence[Any]) -> None:
    """Give the new controllers and adapters among these changes their slots.

    Raises:
        InvalidSpecError: An adapter is of a model that has no place behind these bridges.
    """
    devices = [change.device for change in changes]
    controllers = [one for one in devices if isinstance(one, vim.vm.device.ParaVirtualSCSIController)]
    nics = [one for one in devices if isinstance(one, vim.vm.device.VirtualEthernetCard)]
    for number, controller in enumerate(controllers):
        controller.slotInfo = _slot(0, number)
    behind = -(-len(nics) // _BRIDGES)
    for number, nic in enumerate(nics):
        if not isinstance(nic, _EXPRESS):
            raise errors.InvalidSpecError(
                "pci_order needs adapters of the models vmxnet3 or e1000e: others are on another bus"
            )
        nic.slotInfo = _slot(1 + number // behind, number % behind)


def _slot(bridge: int, function: int) -> Any:
    number = _FIRST + _BRIDGE * bridge + _FUNCTION * function
    return vim.vm.device.VirtualDevice.PciBusSlotInfo(pciSlotNumber=number)
