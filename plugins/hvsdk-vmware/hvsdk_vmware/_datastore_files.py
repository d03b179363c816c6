"""Files on datastores: where they are in the inventory, and reading them over HTTPS below `/folder`."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from urllib.parse import quote

import attrs
from hvsdk.driver import Deadline, errors
from pyVmomi import vim

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import flag, text
from hvsdk_vmware._places import from_store, inventory_path
from hvsdk_vmware._session import VmwareSession

__all__ = ["PIECE", "DatastoreReads", "FileRefusedError", "RemoteFile", "Store"]

PIECE = 4 << 20
"""Bytes that are asked for at once: each request has the time of a round trip."""
_TRIES = 3
_PATH = re.compile(r"\[(?P<store>[^\]]*)\] ?(?P<inside>.*)", re.DOTALL)
_RANGE = re.compile(r"bytes (?P<begin>\d{1,19})-(?P<end>\d{1,19})/(?P<size>\d{1,19})", re.ASCII)
_UNAUTHORISED, _PARTIAL = 401, 206
_REASONS = {
    200: "the server does not send parts of files",
    401: "the session is not accepted there",
    403: "the user's role has no right to the files of the datastore (Datastore.FileManagement)",
    404: "the datastore does not show the file: vSAN and vVols do not, and other kinds of disks have other files",
    416: "the file is shorter than the disk",
    500: "the server cannot read the file, perhaps because a domain writes to it",
}


@attrs.frozen
class Store:
    """A datastore, as far as its files are concerned."""

    id: str
    name: str
    """As the server writes it."""
    center: vim.Datacenter
    center_path: str
    """The datacenter's place in the inventory, such as `Europe/Berlin`."""
    thin: bool
    """Whether disks take no more room than they need."""
    plain_folders: bool
    """Whether folders are made as such: vSAN and vVols have objects in their place."""

    def path(self, inside: str) -> str:
        """Return a path as vSphere writes it: `[datastore1] web/web.vmdk`."""
        return f"[{self.name}] {inside}"

    def inside(self, path: str) -> str | None:
        """Return the part of a path inside of the datastore, `None` for one that is not on it."""
        found = _PATH.fullmatch(path)
        if found is None or found["store"] != self.name or not found["inside"]:
            return None
        return found["inside"]

    def url(self, inside: str) -> str:
        """Return the address of a file, without the server."""
        place, name = quote(self.center_path, safe=""), quote(self.name, safe="")
        return f"/folder/{quote(inside)}?dcPath={place}&dsName={name}"


class DatastoreReads(VmwareSession):
    """Finds datastores, and reads files on them."""

    def store(self, pool_id: str, deadline: Deadline) -> Store:
        """Return a datastore by its id, in one call.

        Raises:
            StoragePoolNotFoundError: There is none.
        """
        found = self.read_all(
            [object_spec(vim.Datastore(pool_id, self.stub), from_store())],
            {
                vim.Datastore: ("name", "parent", *_CAPABILITIES.values()),
                vim.Folder: ("name", "parent"),
                vim.Datacenter: ("name", "parent"),
            },
            deadline=deadline,
        )
        store = next((one for one in found if one.id == pool_id and one.kind == "Datastore"), None)
        center = next((one for one in found if one.kind == "Datacenter"), None)
        if store is None:
            raise errors.StoragePoolNotFoundError(f"there is no datastore {pool_id}")
        if center is None:
            raise errors.PermissionDeniedError(
                f"the datacenter of the datastore {pool_id} is not shown to this user, so that its files cannot be named",
                hint="the role needs System.View on the folders above the datastore",
            )
        return Store(
            id=pool_id,
            name=text(store.values, "name"),
            center=vim.Datacenter(center.id, self.stub),
            center_path=inventory_path(center, found),
            thin=flag(store.values, _CAPABILITIES["thin"]) is not False,
            plain_folders=flag(store.values, _CAPABILITIES["plain_folders"]) is not False,
        )

    def open_file(self, store: Store, inside: str, size: int, deadline: Deadline) -> RemoteFile:
        """Open a file for reading at any place.

        Raises:
            FileRefusedError: The server does not let it be read in parts, or it has not `size` bytes.
        """
        file = RemoteFile(self, store.url(inside), store.path(inside), size)
        file.check(deadline)
        return file


_CAPABILITIES = {
    "thin": "capability.perFileThinProvisioningSupported",
    "plain_folders": "capability.topLevelDirectoryCreateSupported",
}


class FileRefusedError(errors.OperationFailedError):
    """A file cannot be read over HTTPS; there may be another way."""


class RemoteFile:
    """A file that is read in parts; a part that breaks off goes on where it broke. Safe for threads."""

    def __init__(self, session: VmwareSession, url: str, name: str, size: int) -> None:
        self.size = size
        self._session = session
        self._url = url
        self._name = name

    def check(self, deadline: Deadline) -> None:
        """Read the last byte, which tells both the length and whether parts can be had."""
        self._ask(self.size - 1, 1, lambda _: None, deadline)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly so many bytes."""
        data = bytearray(length)
        done, tries = 0, _TRIES

        def take(piece: bytes) -> None:
            nonlocal done, tries
            data[done : done + len(piece)] = piece
            done, tries = done + len(piece), _TRIES

        while done < length:
            tries -= 1
            try:
                self._ask(offset + done, min(PIECE, length - done), take, self._session.soon())
            except (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead):
                if not tries:
                    raise
        return bytes(data)

    def _ask(self, offset: int, length: int, take: Callable[[bytes], None], deadline: Deadline) -> None:
        """Make a request, a second time where the session had expired, and hand on what comes."""
        stub = self._session.stub
        generation = stub.generation
        if self._exchange(offset, length, take, deadline) != _UNAUTHORISED:
            return
        if stub.renew is not None:
            stub.renew(generation, deadline)
        if self._exchange(offset, length, take, deadline) == _UNAUTHORISED:
            raise self._refused(_UNAUTHORISED)

    def _exchange(self, offset: int, length: int, take: Callable[[bytes], None], deadline: Deadline) -> int:
        stub = self._session.stub
        headers = {"Cookie": stub.cookie, "Range": f"bytes={offset}-{offset + length - 1}"}
        with stub.pool.lend(deadline) as connection:
            connection.begin()
            connection.request("GET", self._url, headers=headers)
            response = connection.getresponse()
            if response.status != _PARTIAL:
                connection.close()  # its body may be all of the file
                if response.status == _UNAUTHORISED:
                    return response.status
                raise self._refused(response.status)
            try:
                self._check_range(response.headers.get("Content-Range", ""), offset, length)
                _hand_on(response, length, take)
            except BaseException:
                connection.close()
                raise
        return _PARTIAL

    def _check_range(self, told: str, offset: int, length: int) -> None:
        found = _RANGE.fullmatch(told.strip())
        if found is None or (int(found["begin"]), int(found["end"])) != (offset, offset + length - 1):
            raise AnswerError(f"the server sent another part of {self._name} than it was asked for: {told!r}", _PARTIAL)
        if int(found["size"]) != self.size:
            raise FileRefusedError(f"{self._name} has {found['size']} bytes, but the disk has {self.size}")

    def _refused(self, status: int) -> FileRefusedError:
        reason = _REASONS.get(status, "the server does not give it")
        return FileRefusedError(f"{self._name} cannot be read: {reason} (HTTP {status})", native_code=str(status))


def _hand_on(response: http.client.HTTPResponse, length: int, take: Callable[[bytes], None]) -> None:
    while length > 0:
        piece = response.read1(min(length, 1 << 18))
        if not piece:
            raise http.client.IncompleteRead(b"", length)
        take(piece)
        length -= len(piece)
    if response.length or response.read(1):
        raise AnswerError("the server sent more than it was asked for", _PARTIAL)
