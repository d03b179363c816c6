"""Putting the bytes of a disk onto a datastore.

vSphere takes them through a lease for the import of a domain (`ImportVApp`), as a stream-optimised VMDK: on every kind of
datastore, without what is empty. (A file can be put below `/folder` as well, but whole with all its zeros, not on vSAN and
vVols, and what it replaces is lost before it has come.) So a temporary domain is imported whose disk is then detached and
takes the volume's place; the volume is as it was until then, and has its place again when that fails.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import IO
from weakref import WeakSet

import attrs
from hvsdk.driver import Deadline, DiskReader, DiskWriter, Extent, Steps, StepsTask, Target, Task, errors, finish
from pyVmomi import vim, vmodl

from hvsdk_vmware._calls import CLOSE_SECONDS, FAILURES
from hvsdk_vmware._datastore_files import FileRefusedError, RemoteFile, Store
from hvsdk_vmware._errors import words_of
from hvsdk_vmware._hardware import HardwareReads, file_of
from hvsdk_vmware._import_place import ImportPlaceReads, Spec, temporary_machine
from hvsdk_vmware._lease import Lease
from hvsdk_vmware._lease_url import LeasedFile, begin_transfer
from hvsdk_vmware._lease_url import file_of as leased_file
from hvsdk_vmware._tasks import VmwareTask
from hvsdk_vmware._volume_writer import VolumeWriter
from hvsdk_vmware._volumes import FoundVolume, VolumeVerbs

__all__ = ["VolumeImports"]

_TYPE = "application/x-vnd.vmware-streamVmdk"
_PIECE = 1 << 20
_DONE = (200, 201, 204)
_STEP_SECONDS = 3600.0
_UNDO_SECONDS = 60.0
_PATIENCE = 300.0
"""Seconds for making the lease and for the last answer, which follow work of the host's."""
_GONE = (vmodl.fault.ManagedObjectNotFound, vim.fault.FileNotFound)


@attrs.define
class _Import:
    """What replaces a volume, as far as it has come."""

    volume: FoundVolume
    size: int
    packed: IO[bytes]
    length: int
    moved: Callable[[int], None]
    lease: Lease | None = None
    vm: vim.VirtualMachine | None = None
    disk: str | None = None
    """Path of the new disk, when it is being detached or nobody's."""
    aside: str | None = None
    """Where the volume is being put out of the way, or is."""
    step: VmwareTask[None] | None = None
    """The last step that the server began."""

    @property
    def store(self) -> Store:
        return self.volume.store


class _Content(DiskReader):
    """What is on a volume, where it can be kept."""

    def __init__(self, file: RemoteFile, volume: str) -> None:
        self.size = file.size
        self._file = file
        self._volume = volume

    def extents(self) -> Iterable[Extent]:
        yield Extent(offset=0, length=self.size)

    def read(self, offset: int, length: int) -> bytes:
        try:
            return self._file.read(offset, length)
        except FileRefusedError as exc:
            raise errors.UnsupportedError(
                f"what {self._volume} holds cannot be read, and so not be kept: {exc}",
                capability="open_volume",
                hint="write all of it, or make a new volume",
            ) from exc

    def close(self) -> None:
        """Nothing is open between reads."""


class VolumeImports(HardwareReads, VolumeVerbs, ImportPlaceReads):
    """`open_volume`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._writers: WeakSet[VolumeWriter] = WeakSet()
        self._imports: WeakSet[Lease] = WeakSet()

    def close(self) -> None:
        """Give up what is being written with the connection; vSphere removes the domains of imports that are aborted."""
        for writer in list(self._writers):
            writer.abort()
        deadline = Deadline(min(CLOSE_SECONDS, self.target.timeout))
        for lease in list(self._imports):
            lease.end(complete=False, deadline=deadline)
        super().close()

    def abandon(self) -> None:
        for writer in list(self._writers):
            writer.abort()
        super().abandon()

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        volume = self.find_volume(pool_id, volume_id, deadline)
        size = volume.info.capacity_bytes
        if volume.info.format != "vmdk":
            raise errors.UnsupportedError(f"{volume_id} is an image, which is only read", capability="open_volume")
        if not size:
            raise errors.OperationFailedError(f"vSphere tells no size of the volume {volume_id}")
        self.refuse_used(volume.store, volume.info.id, deadline)
        content = None if self.is_empty(volume) else self._content_of(volume, size)

        def put(packed: IO[bytes], length: int, moved: Callable[[int], None]) -> None:
            self._replace(_Import(volume, size, packed, length, moved))

        writer = VolumeWriter(size, content, put)
        self._writers.add(writer)
        return writer

    def _content_of(self, volume: FoundVolume, size: int) -> Callable[[], DiskReader]:
        """Return what opens the volume as it is."""
        inside = volume.inside.removesuffix(".vmdk") + "-flat.vmdk"
        file = RemoteFile(self, volume.store.url(inside), volume.store.path(inside), size)

        return lambda: _Content(file, volume.info.id)

    def _replace(self, job: _Import) -> None:
        """Replace a volume; what fails leaves it as it was, and nothing half-made."""
        self.forget_new(job.store, job.volume.info.id)
        try:
            self._upload(job)
            finish(StepsTask(self._exchange(job)), _STEP_SECONDS)
        except BaseException as exc:
            self._undo(job, exc)
            raise
        try:
            finish(StepsTask(self._clean_up(job)), _STEP_SECONDS)
        except FAILURES as exc:
            exc.add_note(f"hvsdk: {job.volume.info.id} is written, but not all that it took was removed again")
            raise

    # ---- steps -------------------------------------------------------------------------------------------

    def _upload(self, job: _Import) -> None:
        """Import the temporary domain."""
        place = self.import_place(job.store)
        thin = job.volume.info.details.get("vmware.thin") is not False
        machine = temporary_machine(f"hvsdk-write-{uuid.uuid4().hex[:12]}", job.store, job.size, thin=thin)
        spec = vim.vm.VmImportSpec(configSpec=machine)
        begun = self.call(place.pool.ImportVApp, spec, place.folder, place.host, deadline=self.soon())
        job.lease = lease = Lease(self, begun, self._patience())
        self._imports.add(lease)
        job.vm = vim.VirtualMachine(str(lease.info.entity._moId), self.stub)
        files = [one for one in lease.info.deviceUrl or () if one.disk is not False]
        if len(files) != 1:
            raise errors.OperationFailedError(f"the lease has {len(files)} places for one disk")
        self._send(job, lease, leased_file(self, files[0]))
        lease.complete()

    def _send(self, job: _Import, lease: Lease, file: LeasedFile) -> None:
        begun = begin_transfer(self, file, "POST", {"Content-Type": _TYPE}, length=job.length)
        with contextlib.closing(begun) as transfer:
            sent = 0
            while piece := job.packed.read(_PIECE):
                transfer.send(piece)
                sent += len(piece)
                lease.percent = sent * 100 // job.length
                job.moved(sent)
            status = transfer.answer(self._patience())
        if status not in _DONE:
            raise errors.OperationFailedError(
                f"the host does not take the disk (HTTP {status})", native_code=str(status), hint="see the host's log"
            )

    def _exchange(self, job: _Import) -> Steps[None]:
        """Take the disk from the temporary domain, and put it in the volume's place."""
        assert job.vm is not None, "it was imported"
        disks = self.subject(str(job.vm._moId), self.soon()).disks
        if len(disks) != 1:
            raise errors.OperationFailedError(f"the domain that was imported has {len(disks)} disks")
        path, volume = file_of(disks[0]), job.volume.info.id
        self.refuse_used(job.store, volume, self.soon())  # much time has passed since it was opened
        detached = vim.vm.ConfigSpec(deviceChange=[Spec(operation="remove", device=disks[0])])
        job.disk = path  # noted before, as the next one: the answer may be lost
        yield from self._step(job, self.start_task(job.vm.ReconfigVM_Task, detached, deadline=self.soon()))
        job.aside = f"{volume.removesuffix('.vmdk')}.{uuid.uuid4().hex[:12]}.old.vmdk"
        yield from self._step(job, self._move(job.store, volume, job.aside))
        yield from self._step(job, self._move(job.store, path, volume))
        job.disk = None

    def _step(self, job: _Import, task: VmwareTask[None]) -> Steps[None]:
        job.step = task
        yield task

    def _move(self, store: Store, source: str, target: str) -> VmwareTask[None]:
        return self.start_task(
            self.disk_manager.MoveVirtualDisk_Task,
            source,
            store.center,
            target,
            store.center,
            False,
            deadline=self.soon(),
        )

    def _clean_up(self, job: _Import) -> Steps[None]:
        """Remove the temporary domain with its directory, and what the volume was before."""
        if job.vm is not None:
            yield self.start_task(job.vm.Destroy_Task, deadline=self.soon())
            job.vm = None
        if job.aside is not None:
            yield self._remove_disk(job.store, job.aside)

    def _remove_disk(self, store: Store, path: str) -> VmwareTask[None]:
        return self.start_task(self.disk_manager.DeleteVirtualDisk_Task, path, store.center, deadline=self.soon())

    def _patience(self) -> Deadline:
        return Deadline(max(_PATIENCE, self.target.timeout))

    # ---- undo --------------------------------------------------------------------------------------------

    def _undo(self, job: _Import, exc: BaseException) -> None:
        """Take back what was done, each part for itself; what stays is told in notes."""
        if job.lease is not None:
            job.lease.end(complete=False)  # takes the domain away, unless the import is over
        if job.step is not None and not job.step.over:
            with contextlib.suppress(*FAILURES):
                finish(job.step, _UNDO_SECONDS)  # what is under way cannot be taken back before it is over
        for what, begin in self._undo_parts(job):
            try:
                finish(begin(), _UNDO_SECONDS)
            except _GONE:
                continue
            except FAILURES as failure:
                exc.add_note(f"hvsdk: {what}: {words_of(failure)}")

    def _undo_parts(self, job: _Import) -> Iterator[tuple[str, Callable[[], Task[None]]]]:
        volume, aside, disk, vm = job.volume.info.id, job.aside, job.disk, job.vm
        if aside is not None:
            yield (
                f"{aside} is what {volume} was before, and could not be put back",
                lambda: StepsTask(self._put_back(job.store, aside, volume)),
            )
        if disk is not None:
            yield f"{disk} was made, and could not be removed", lambda: self._remove_disk(job.store, disk)
        if vm is not None:
            yield (
                f"the domain {vm._moId} was made, and could not be removed",
                lambda: self.start_task(vm.Destroy_Task, deadline=self.soon()),
            )

    def _put_back(self, store: Store, aside: str, volume: str) -> Steps[None]:
        """Give a volume its place again, where it has left it.

        Raises:
            VolumeNotFoundError: It is at neither place.
        """
        try:
            yield self._move(store, aside, volume)
        except _GONE:
            self.find_volume(store.id, volume, self.soon())
