"""VMs: power, templates, snapshots, copies, settings, placement and moves, and the guests inside them."""

from hvsdk_simulators.xapi.vm import (
    actions,
    appliance,
    clone,
    create,
    data_sources,
    firmware,
    guest_calls,
    maps,
    membership,
    memory,
    migrate,
    operations,
    placement,
    power,
    revert,
    snapshots,
    suspend,
    templates,
    vcpus,
)
from hvsdk_simulators.xapi.vm.guest import Guest
from hvsdk_simulators.xapi.vm.make import make_vm

__all__ = [
    "Guest",
    "actions",
    "appliance",
    "clone",
    "create",
    "data_sources",
    "firmware",
    "guest_calls",
    "make_vm",
    "maps",
    "membership",
    "memory",
    "migrate",
    "operations",
    "placement",
    "power",
    "revert",
    "snapshots",
    "suspend",
    "templates",
    "vcpus",
]
