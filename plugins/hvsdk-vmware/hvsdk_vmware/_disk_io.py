"""Reading disks.

There are two ways, and `disk_io` of `connect` chooses:

- `lease`: vSphere exports the disk (`ExportVm`, `ExportSnapshot`), as one stream in which what is empty is left out. It works
  for disks on every kind of datastore, and for those that lie on others; the domain has to be off, or a snapshot is read.
  Until the reader is closed vSphere refuses to start the domain. A stream that breaks is begun anew.
- `datastore`: the disk's file is read below `/folder`, at any place; what breaks goes on where it broke. Only VMFS and NFS
  show files of disks, a disk must be in one file (none of a linked clone or of a domain with snapshots), and what is empty
  is sent as zeros. It takes the right to the files of the datastore, and works for suspended domains too.
- `auto`, which is the default: the lease for what it saves, that is for thin disks, and for those that have no file of their
  own; the file for the others. Where one way is refused the other one is tried.

Only with `datastore` is every disk that can be opened read at any place, so that `DISK_RANDOM_READ` is there with it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakSet

from hvsdk.driver import Capability, Deadline, DiskReader, Target, Unsupported, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._calls import CLOSE_SECONDS
from hvsdk_vmware._datastore_files import DatastoreReads, FileRefusedError
from hvsdk_vmware._disk_places import DEVICES, DiskPlace, disk_places, place_of
from hvsdk_vmware._errors import words_of
from hvsdk_vmware._fields import NOTHING, Found, text
from hvsdk_vmware._lease import Lease, LeaseShares
from hvsdk_vmware._lease_url import LeasedFile, file_of, slot_of
from hvsdk_vmware._readers import FileReader, LeaseReader, LeaseStream

__all__ = ["DiskIoVerbs"]

_REFUSALS = (
    vim.fault.InvalidPowerState,
    vim.fault.NoPermission,
    vim.fault.MethodDisabled,
    vim.fault.RestrictedVersion,
    vmodl.fault.NotSupported,
    vmodl.fault.MethodNotFound,
    errors.OperationFailedError,
    errors.UnsupportedError,
    errors.CertificateError,
)
"""What makes the other way worth a try. Where something else is being done to the domain, its file is left alone as well."""
_FLAT = "-flat.vmdk"


class DiskIoVerbs(DatastoreReads):
    """`open_disk`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._leases = LeaseShares()
        self._readers: WeakSet[FileReader | LeaseReader] = WeakSet()

    def close(self) -> None:
        """Let go what is open for reading with the connection that it is on."""
        for reader in list(self._readers):
            reader.drop()
        self._leases.end_all(Deadline(min(CLOSE_SECONDS, self.target.timeout)))
        super().close()

    def abandon(self) -> None:
        for reader in list(self._readers):
            reader.leave()
        self._leases.forget_all()
        super().abandon()

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if self._way != "datastore":
            reason = "disks may have to be read as streams; disk_io='datastore' of connect() reads their files"
            limits.setdefault(Capability.DISK_RANDOM_READ, Unsupported(reason))
        return limits

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        holder = self.vm(native_id) if snapshot_id is None else vim.vm.Snapshot(snapshot_id, self.stub)
        disk = place_of(self._disks_of(holder, native_id, deadline), disk_id)
        reader = self._first_that_works(self._ways(holder, disk), disk, deadline)
        self._readers.add(reader)
        return reader

    # ---- finding -----------------------------------------------------------------------------------------

    def _disks_of(self, holder: Any, native_id: str, deadline: Deadline) -> list[DiskPlace]:
        """Return the disks of a domain, or of one of its snapshots, in one call.

        Raises:
            DomainNotFoundError: There is no such domain.
            SnapshotNotFoundError: There is no such snapshot, or it is another domain's.
        """
        is_snapshot = isinstance(holder, vim.vm.Snapshot)
        wish: dict[type, tuple[str, ...]] = {type(holder): (DEVICES, "vm") if is_snapshot else (DEVICES,)}
        found: list[Found] = self.read_all([object_spec(holder)], wish, deadline=deadline)
        if not found and is_snapshot:
            raise errors.SnapshotNotFoundError(f"there is no snapshot {holder._moId!r}")
        if not found:
            raise errors.DomainNotFoundError(f"there is no domain {native_id}")
        values = found[0].values
        if is_snapshot and text(values, "vm") != native_id:
            raise errors.SnapshotNotFoundError(f"{holder._moId!r} is no snapshot of the domain")
        return disk_places(values.get(DEVICES, NOTHING))

    # ---- choosing ----------------------------------------------------------------------------------------

    @property
    def _way(self) -> str:
        return str(self.target.options.get("disk_io") or "auto")

    def _ways(self, holder: Any, disk: DiskPlace) -> list[Callable[[Deadline], FileReader | LeaseReader]]:
        """Return the ways that may work, the better one first; why is said at the top of this file."""
        file, lease = partial(self._open_file, disk), partial(self._open_lease, holder, disk)
        if self._way == "datastore":
            return [file]
        if self._way == "lease":
            return [lease]
        if not disk.plain:
            return [lease]
        return [lease, file] if disk.thin else [file, lease]

    def _first_that_works(
        self, ways: list[Callable[[Deadline], FileReader | LeaseReader]], disk: DiskPlace, deadline: Deadline
    ) -> FileReader | LeaseReader:
        """Open a disk in the first way that is not refused, and say of each why it was if all are."""
        refused: list[Exception] = []
        for way in ways:
            try:
                return way(deadline)
            except _REFUSALS as exc:
                refused.append(exc)
        first, *others = refused
        if others and isinstance(first, vim.fault.InvalidPowerState):
            raise errors.OperationFailedError(
                f"the disk {disk.path} can be read in no way: {_told(first)}; {_told(others[0])}",
                hint="switch the domain off, or read a snapshot of it",
            ) from first
        raise first from (others[0] if others else None)

    def _open_file(self, disk: DiskPlace, deadline: Deadline) -> FileReader:
        if not disk.plain or not disk.path.endswith(".vmdk"):
            raise errors.UnsupportedError(
                f"the disk {disk.path} lies on another one or on a device, so that it has no file of its own",
                capability=Capability.OPEN_DISK,
                hint="connect with disk_io='auto'",
            )
        store = self.store(disk.pool, deadline)
        inside = store.inside(disk.path)
        if inside is None:
            raise FileRefusedError(f"the disk {disk.path} is not on the datastore {store.name}")
        file = self.open_file(store, inside.removesuffix(".vmdk") + _FLAT, disk.size, deadline)
        return FileReader(file)

    def _open_lease(self, holder: Any, disk: DiskPlace, deadline: Deadline) -> LeaseReader:
        export = holder.ExportSnapshot if isinstance(holder, vim.vm.Snapshot) else holder.ExportVm

        def begin() -> Lease:
            return Lease(self, self.call(export, deadline=deadline), deadline)

        share = self._leases.take(holder._moId, begin)
        try:
            assert share.lease is not None
            file = self._leased_file(share.lease, disk)
            return LeaseReader(LeaseStream(self, file, disk.size, self._leases, share, deadline))
        except BaseException:
            self._leases.give_back(share, complete=False)
            raise

    def _leased_file(self, lease: Lease, disk: DiskPlace) -> LeasedFile:
        """Return which file of a lease is the disk: by its place on its controller, else by its number."""
        files = [one for one in lease.info.deviceUrl or () if one.disk is not False]
        named = [one for one in files if disk.slot is not None and slot_of(one.key or "") == disk.slot]
        if len(named) != 1 and len(files) == disk.disks:
            named = [files[disk.number]]
        if len(named) != 1:
            raise errors.OperationFailedError(f"the lease does not tell which of its files is the disk {disk.path}")
        return file_of(self, named[0])


def _told(exc: Exception) -> str:
    return words_of(exc) if isinstance(exc, vmodl.MethodFault) else str(exc)
