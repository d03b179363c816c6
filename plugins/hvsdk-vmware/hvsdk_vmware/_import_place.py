"""Where a temporary domain is imported, and what it is."""

from __future__ import annotations

from typing import Any

import attrs
from hvsdk.driver import errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._datastore_files import DatastoreReads, Store
from hvsdk_vmware._fields import NOTHING, child, children, flag, text

__all__ = ["ImportPlace", "ImportPlaceReads", "temporary_machine"]

_CONTROLLER = 1000
Spec = vim.vm.device.VirtualDeviceSpec


@attrs.frozen
class ImportPlace:
    """Where a domain can be imported."""

    pool: vim.ResourcePool
    folder: vim.Folder
    host: vim.HostSystem


class ImportPlaceReads(DatastoreReads):
    """Finds hosts that can write to a datastore."""

    def import_place(self, store: Store) -> ImportPlace:
        """Return where a domain on a datastore can be imported, in two calls.

        Raises:
            OperationFailedError: No host that runs can write to it.
        """
        wish: dict[type, tuple[str, ...]] = {vim.Datastore: ("host",), vim.Datacenter: ("vmFolder",)}
        begin = [object_spec(vim.Datastore(store.id, self.stub)), object_spec(store.center)]
        found = {one.kind: one.values for one in self.read_all(begin, wish, deadline=self.soon())}
        mounts = children(found.get("Datastore", {}).get("host", NOTHING), "DatastoreHostMount")
        hosts = [child(mount, "key") for mount in mounts if _is_usable(mount)]
        folder = text(found.get("Datacenter", {}), "vmFolder")
        pools = self._pools_of(hosts) if hosts else {}
        for host, pool in pools.items():
            return ImportPlace(
                vim.ResourcePool(pool, self.stub), vim.Folder(folder, self.stub), vim.HostSystem(host, self.stub)
            )
        raise errors.OperationFailedError(
            f"no host that runs can write to the datastore {store.name}", hint="are its hosts in maintenance mode?"
        )

    def _pools_of(self, hosts: list[str]) -> dict[str, str]:
        """Return those hosts that take domains, and the resource pool of each."""
        way = vmodl.query.PropertyCollector.TraversalSpec(name="up", type=vim.HostSystem, path="parent", skip=False)
        begin = [object_spec(vim.HostSystem(host, self.stub), [way]) for host in hosts]
        wish: dict[type, tuple[str, ...]] = {
            vim.HostSystem: ("runtime.connectionState", "runtime.inMaintenanceMode", "parent"),
            vim.ComputeResource: ("resourcePool",),
        }
        found = self.read_all(begin, wish, deadline=self.soon())
        pools = {one.id: text(one.values, "resourcePool") for one in found if one.kind != "HostSystem"}
        return {
            one.id: pools[text(one.values, "parent")]
            for one in found
            if one.kind == "HostSystem"
            and text(one.values, "runtime.connectionState") == "connected"
            and not flag(one.values, "runtime.inMaintenanceMode")
            and pools.get(text(one.values, "parent"))
        }


def _is_usable(mount: Any) -> bool:
    accessible, mode = child(mount, "mountInfo", "accessible"), child(mount, "mountInfo", "accessMode")
    return accessible != "false" and mode != "readOnly"


def temporary_machine(name: str, store: Store, size: int, *, thin: bool) -> vim.vm.ConfigSpec:
    """Return a domain that has nothing but a disk."""
    device = vim.vm.device
    place = f"[{store.name}]"
    controller = device.VirtualLsiLogicController(key=_CONTROLLER, busNumber=0, sharedBus="noSharing")
    backing = device.VirtualDisk.FlatVer2BackingInfo(fileName=place, diskMode="persistent", thinProvisioned=thin)
    disk = device.VirtualDisk(
        key=-1,
        controllerKey=_CONTROLLER,
        unitNumber=0,
        capacityInKB=size >> 10,
        capacityInBytes=size,
        backing=backing,
    )
    return vim.vm.ConfigSpec(
        name=name,
        annotation="made by hvsdk to write to a volume; it is removed when that is done",
        guestId="otherGuest64",
        numCPUs=1,
        memoryMB=32,
        files=vim.vm.FileInfo(vmPathName=place),
        deviceChange=[
            Spec(operation="add", device=controller),
            Spec(operation="add", fileOperation="create", device=disk),
        ],
    )
