"""Snapshots and checkpoints of the first VMs of a pool, with disks that hold what the VM's disks hold."""

from __future__ import annotations

from datetime import timedelta

from hvsdk_simulators.xapi.build.devices import add_disk
from hvsdk_simulators.xapi.build.storage import Storage, make_vdi
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.vm.metadata import record_text
from hvsdk_simulators.xapi.vm.records import copy_record, copy_vif
from hvsdk_simulators.xapi.world import World

_EVERY = 7
_MOST = 20


def make_snapshots(world: World, vms: list[Object], storage: Storage) -> None:
    """Give some VMs a snapshot, and some of these a checkpoint on top of it."""
    for count, vm in enumerate(vms[1 : _EVERY * _MOST : _EVERY]):
        _snapshot(world, vm, "before the upgrade", days=9)
        if count % 2 and vm["power_state"] == "Running":
            _checkpoint(world, vm, storage)


def _snapshot(world: World, vm: Object, name: str, *, days: int) -> Object:
    made = copy_record(
        world,
        vm,
        name=name,
        snapshot=True,
        snapshot_of=vm.ref,
        snapshot_time=world.now() - timedelta(days=days),
        snapshot_info={"power-state-at-snapshot": vm["power_state"], "disk-snapshot-type": "crash_consistent"},
        snapshot_metadata=record_text(vm),
        power_state="Halted",
        parent=vm["parent"],
        name_description="",
    )
    world.db.update(vm, parent=made.ref)
    for ref in list(vm["VBDs"]):
        vbd = world.db.get("VBD", ref)
        if vbd["type"] == "Disk":
            copy = world.storage.clone_vdi(world.db.get("VDI", vbd["VDI"]), snapshot=True)
            add_disk(world, made, copy, int(vbd["userdevice"]), attached=False)
    for ref in list(vm["VIFs"]):
        copy_vif(world, world.db.get("VIF", ref), made, keep_mac=True)
    return made


def _checkpoint(world: World, vm: Object, storage: Storage) -> None:
    made = _snapshot(world, vm, "with memory", days=2)
    size = vm["memory_static_max"] + 256 * MIB
    saved = make_vdi(world, storage.nfs, "Suspend image", size, share=0.1, type="suspend")
    world.db.update(made, power_state="Suspended", suspend_VDI=saved.ref)
