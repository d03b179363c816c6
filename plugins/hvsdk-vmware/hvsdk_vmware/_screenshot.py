"""Screenshots: the server hands the picture out, or writes it into a file beside the domain, where it is fetched.

The first way leaves nothing behind, but is no part of the API: what it does not give, for whatever reason, the second way
gives or refuses in words.
"""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from hvsdk.driver import Deadline, errors, finish
from pyVmomi import vim

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._places import inventory_path, to_datacenter
from hvsdk_vmware._session import VmwareSession
from hvsdk_vmware._stub import AGENT
from hvsdk_vmware._tasks import VmwareTask

__all__ = ["ScreenshotReads"]

_PNG = b"\x89PNG\r\n\x1a\n"
_LIMIT = 64 << 20
_FILE = re.compile(r"\[([^\]]+)\] (.+\.png)", re.IGNORECASE)
_ABOVE: Mapping[type, Iterable[str]] = {
    vim.VirtualMachine: ("name",),
    vim.Datacenter: ("name", "parent"),
    vim.Folder: ("name", "parent"),
}


class ScreenshotReads(VmwareSession):
    """`screenshot`."""

    def screenshot(self, native_id: str, *, deadline: Deadline) -> bytes:
        """Return what is on the screen, as the host draws it.

        Raises:
            PowerStateError: It does not run.
        """
        found = self._fetch("/screen", {"id": native_id}, deadline)
        if found is None:
            found = self._by_file(native_id, deadline)
        return found

    def _by_file(self, native_id: str, deadline: Deadline) -> bytes:
        vm = self.vm(native_id)
        center, inventory_path = self._datacenter(native_id, deadline)
        try:
            task = self.start_task(vm.CreateScreenshot_Task, deadline=deadline, result=str, asking=native_id)
            path = finish(task, deadline.remaining())
        except vim.fault.InvalidPowerState as exc:
            raise errors.PowerStateError("a domain has a screen only while it runs", hint="start it first") from exc
        file = _FILE.fullmatch(path)
        if file is None:
            raise AnswerError("the server does not tell where the picture is")
        query = {"dcPath": inventory_path, "dsName": file[1]}
        try:
            found = self._fetch(f"/folder/{quote(file[2])}", query, deadline)
        finally:
            self._remove_picture(path, center)
        if found is None:
            raise errors.OperationFailedError(
                f"the picture was taken, but the server does not hand out {path}",
                hint="reading it needs the privilege Datastore.Browse",
            )
        return found

    def _fetch(self, path: str, query: Mapping[str, str], deadline: Deadline) -> bytes | None:
        """Return a picture that the server has, `None` for anything else that it answers."""
        stub = self.stub
        for last in (False, True):
            generation = stub.generation
            status, body = self._get(f"{path}?{urlencode(query, quote_via=quote)}", deadline)
            if status != 401 or last or stub.renew is None:
                return body if status == 200 and body.startswith(_PNG) else None
            stub.renew(generation, deadline)
        raise AssertionError("unreachable")

    def _get(self, path: str, deadline: Deadline) -> tuple[int, bytes]:
        stub = self.stub
        headers = {"Cookie": stub.cookie, "User-Agent": AGENT, "Accept-Encoding": "identity"}
        with stub.pool.lend(deadline) as connection:
            connection.begin()
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read(_LIMIT + 1)
            if len(body) > _LIMIT:
                raise AnswerError(f"the server's picture has more than {_LIMIT} bytes, which none has")
            if response.length:
                raise http.client.IncompleteRead(body[:100], response.length)
            return response.status, body

    def _datacenter(self, native_id: str, deadline: Deadline) -> tuple[vim.Datacenter, str]:
        """Return the datacenter that a domain is in, and its path from the root as the server writes it."""
        found = self.read_all([object_spec(self.vm(native_id), to_datacenter())], _ABOVE, deadline=deadline)
        center = next((one for one in found if one.kind == "Datacenter"), None)
        if all(one.id != native_id for one in found):
            raise errors.DomainNotFoundError(f"there is no domain {native_id}")
        if center is None:
            raise errors.OperationFailedError("the server does not show which datacenter the domain is in")
        return vim.Datacenter(center.id, self.stub), inventory_path(center, found)

    def _remove_picture(self, path: str, center: vim.Datacenter) -> None:
        """Remove the file; whoever may not keeps it, and has the picture all the same."""
        with contextlib.suppress(*FAILURES):
            task: VmwareTask[None] = self.start_task(
                self.file_manager.DeleteDatastoreFile_Task, path, center, deadline=self.soon()
            )
            finish(task, self.target.timeout)
