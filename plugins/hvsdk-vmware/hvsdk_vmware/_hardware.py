"""A domain and its devices as pyvmomi's objects, read in one call before something is done to them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import attrs
from hvsdk.driver import Deadline, PowerState, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec, paths_of
from hvsdk_vmware._names import shown
from hvsdk_vmware._session import VmwareSession
from hvsdk_vmware._states import power_state

__all__ = ["HardwareReads", "Subject", "chain_of", "directory_of", "file_of"]

Collector = vmodl.query.PropertyCollector
_PATHS = (
    "name",
    "parent",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.host",
    "runtime.consolidationNeeded",
    "config.template",
    "config.instanceUuid",
    "config.files.vmPathName",
    "config.hardware.device",
    "config.hardware.numCPU",
    "config.hardware.numCoresPerSocket",
    "config.hardware.memoryMB",
    "config.cpuHotAddEnabled",
    "config.cpuHotRemoveEnabled",
    "config.memoryHotAddEnabled",
    "config.hotPlugMemoryLimit",
    "config.hotPlugMemoryIncrementSize",
    "config.changeVersion",
    "config.extraConfig",
    "config.bootOptions",
    "snapshot",
    "datastore",
)


@attrs.frozen
class Subject:
    """The domain that a verb is about, as it was a moment ago."""

    native_id: str
    values: Mapping[str, Any]
    """Its properties by path; what is not set is not in it."""

    @property
    def name(self) -> str:
        """What people call it."""
        return shown(str(self.values.get("name", "")))

    @property
    def state(self) -> PowerState:
        """Its power state."""
        told, connection = self.values.get("runtime.powerState"), self.values.get("runtime.connectionState")
        return power_state(str(told or ""), str(connection) if connection is not None else None)

    @property
    def is_template(self) -> bool:
        """Whether it is a template, which takes no changes of its hardware."""
        return bool(self.values.get("config.template"))

    @property
    def uuid(self) -> str:
        """vSphere's own UUID of it."""
        return str(self.values.get("config.instanceUuid") or "").lower()

    @property
    def path(self) -> str:
        """Its configuration file, `""` where that is not told."""
        return str(self.values.get("config.files.vmPathName") or "")

    @property
    def host(self) -> str | None:
        """Id of the host that it runs on, or is registered with."""
        host = self.values.get("runtime.host")
        return str(host._moId) if host is not None else None

    @property
    def devices(self) -> list[Any]:
        """All devices, controllers among them."""
        return list(self.values.get("config.hardware.device") or ())

    @property
    def disks(self) -> list[Any]:
        """Its disks."""
        return [device for device in self.devices if isinstance(device, vim.vm.device.VirtualDisk)]

    @property
    def extra_config(self) -> dict[str, str]:
        """Its `extraConfig`."""
        return {str(one.key): str(one.value) for one in self.values.get("config.extraConfig") or ()}

    @property
    def has_snapshots(self) -> bool:
        """Whether there are any."""
        tree = self.values.get("snapshot")
        return tree is not None and bool(tree.rootSnapshotList)


class HardwareReads(VmwareSession):
    """Reads one domain with all its devices."""

    def subject(self, native_id: str, deadline: Deadline) -> Subject:
        """Return the domain as it is now.

        Raises:
            ManagedObjectNotFound: There is none.
            DomainNotFoundError: Nothing of it is shown to this user.
        """
        wish = Collector.FilterSpec(
            propSet=paths_of({vim.VirtualMachine: _PATHS}),
            objectSet=[object_spec(self.vm(native_id))],
        )
        read = self.content.propertyCollector.RetrievePropertiesEx
        page = self.call(read, [wish], Collector.RetrieveOptions(), deadline=deadline)
        values = {entry.name: entry.val for one in (page.objects if page else ()) for entry in one.propSet}
        if not values:
            raise errors.DomainNotFoundError(f"the domain {native_id} is not shown to this user")
        return Subject(native_id, values)


def file_of(device: Any) -> str:
    """Return the file that is a disk's, or in a drive; `""` for none."""
    return str(getattr(device.backing, "fileName", None) or "")


def chain_of(disk: Any) -> list[str]:
    """Return a disk's files, its own first, then those that it lies on."""
    found, backing = [], disk.backing
    while backing is not None and getattr(backing, "fileName", None):
        found.append(str(backing.fileName))
        backing = getattr(backing, "parent", None)
    return found


def directory_of(path: str) -> str:
    """Return the directory of a file as `[datastore] directory`."""
    return posixpath.dirname(path) if "/" in path else path.partition("]")[0] + "]"
