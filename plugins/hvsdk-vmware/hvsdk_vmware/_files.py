"""Small files on datastores: put there over HTTPS below `/folder`, and deleted by the file manager."""

from __future__ import annotations

import contextlib

from hvsdk.driver import Deadline, Steps, errors
from pyVmomi import vim

from hvsdk_vmware._datastore_files import DatastoreReads, Store
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._transfer import Transfer

__all__ = ["FileVerbs"]

_DONE = (200, 201, 204)
_UNAUTHORISED = 401
_REASONS = {
    403: "the user's role has no right to the files of the datastore (Datastore.FileManagement)",
    404: "the server does not take it there: vSAN and vVols take none",
    507: "the datastore is full",
}


class FileVerbs(DatastoreReads):
    """Puts files on datastores, and deletes them."""

    def upload_file(self, store: Store, inside: str, data: bytes) -> None:
        """Put a file on a datastore; one of that name is replaced."""
        stub = self.stub
        generation = stub.generation
        status = self._put(store, inside, data)
        if status == _UNAUTHORISED and stub.renew is not None:
            stub.renew(generation, self.soon())
            status = self._put(store, inside, data)
        if status not in _DONE:
            reason = _REASONS.get(status, "the server refused it")
            raise errors.OperationFailedError(
                f"{store.path(inside)} cannot be written: {reason} (HTTP {status})", native_code=str(status)
            )

    def _put(self, store: Store, inside: str, data: bytes) -> int:
        stub = self.stub
        headers = {"Cookie": stub.cookie, "Content-Type": "application/octet-stream"}
        with contextlib.closing(
            Transfer(stub.pool.endpoint, "PUT", store.url(inside), headers, self.target.timeout, length=len(data))
        ) as transfer:
            transfer.send(data)
            return transfer.answer()

    def delete_file(self, path: str, center: vim.Datacenter) -> Steps[None]:
        """Delete a file, or a directory with all that is in it; one that is gone already is fine."""
        delete = self.file_manager.DeleteDatastoreFile_Task
        with contextlib.suppress(vim.fault.FileNotFound):
            yield self.start_task(delete, path, center, deadline=self.soon())

    def store_of(self, vm: Subject, path: str, deadline: Deadline) -> Store:
        """Return the datastore of a domain that a file of it is on.

        Raises:
            StoragePoolNotFoundError: It is on none of them.
        """
        for one in vm.values.get("datastore") or ():
            store = self.store(str(one._moId), deadline)
            if store.inside(path) is not None:
                return store
        raise errors.StoragePoolNotFoundError(f"the datastore of {path} is none of {vm.name!r}'s")
