"""Which other domains use a domain's disks, as far as this connection sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

from hvsdk.driver import Deadline, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import NOTHING, NS, Found, child, children, text
from hvsdk_vmware._hardware import HardwareReads, Subject, chain_of, directory_of
from hvsdk_vmware._names import shown

__all__ = ["FILES", "SharedFileReads", "files_of", "own_files"]

FILES = ("config.hardware.device", "layoutEx.file")
"""The properties that `files_of` takes."""


def own_files(disks: Iterable[Any]) -> set[str]:
    """Return the files that are nobody's but these disks', as their places say: what a linked clone lies on is not."""
    found: set[str] = set()
    for disk in disks:
        top, *below = chain_of(disk) or [""]
        found.add(top)
        for file in below:
            if directory_of(file) != directory_of(top):
                break
            found.add(file)
    return found - {""}


class SharedFileReads(HardwareReads):
    """Looks at all domains on the datastores that a domain is on."""

    def refuse_shared(self, vm: Subject, what: str, deadline: Deadline) -> None:
        """Refuse to touch disks that others have too, or lie on; in one call.

        A vCenter leaves alone what a linked clone lies on. A host by itself is not known to: there that counts, too.

        Raises:
            BusyError: There is one.
        """
        ours = own_files(vm.disks) if self.is_vcenter else {file for disk in vm.disks for file in chain_of(disk)}
        for file, other in self.others_with(vm, ours, deadline):
            raise errors.BusyError(
                f"{vm.name!r} was not {what}: {file} is a disk of {shown(text(other.values, 'name'))!r}"
                f" ({other.id}), or its disk lies on it",
                lasting=True,
                hint="delete that domain first, or detach the disk there; disks='keep' leaves all volumes",
            )

    def others_with(self, vm: Subject, files: Set[str], deadline: Deadline) -> Iterator[tuple[str, Found]]:
        """Yield other domains that have one of these files of a domain's, with the file; in one call."""
        stores = vm.values.get("datastore") or ()
        if not files or not stores:
            return
        way = vmodl.query.PropertyCollector.TraversalSpec(name="vms", type=vim.Datastore, path="vm", skip=False)
        begin = [object_spec(store, [way], skip=True) for store in stores]
        for page in self.read(begin, {vim.VirtualMachine: ("name", *FILES)}, deadline=deadline):
            for other in page:
                both = files & set(files_of(other)) if other.id != vm.native_id else None
                if both:
                    yield min(both), other


def files_of(domain: Found) -> Iterator[str]:
    """Yield the files that a domain has in disks and drives, now and in snapshots, and those that they lie on."""
    for device in domain.values.get("config.hardware.device", NOTHING):
        yield from (file.text or "" for file in device.iter(NS + "fileName"))
    for file in children(domain.values.get("layoutEx.file", NOTHING), "VirtualMachineFileLayoutExFileInfo"):
        yield child(file, "name")
