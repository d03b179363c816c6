"""Files on a stand-in's datastores, as another client sees and writes them."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import Any
from urllib.parse import quote, urlsplit

from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vmware_support import Raw

__all__ = ["files_below", "read_file", "write_file"]


def files_below(raw: Raw, folder: str = "") -> set[str]:
    """Return the files in a folder of any datastore, or in all folders."""
    found: list[tuple[str, str]] = []
    for store in raw.all(vim.Datastore):
        spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*"])
        for one in _folders(raw, store.browser.SearchDatastoreSubFolders_Task(f"[{store.name}]", spec)):
            found += [(one.folderPath.replace("]/", "] ").rstrip("/"), file.path) for file in one.file]
    return {f"{where}/{name}" for where, name in found if not folder or where.endswith(f"] {folder}")}


def _folders(raw: Raw, task: Any) -> Any:
    """Return what a search finds; pyvmomi does not take all that the stand-in tells of its task."""
    collector = vmodl.query.PropertyCollector
    wish = collector.FilterSpec(
        objectSet=[collector.ObjectSpec(obj=task)],
        propSet=[collector.PropertySpec(type=vim.Task, pathSet=["info.state", "info.result"])],
    )
    for _ in range(400):
        (found,) = raw.content.propertyCollector.RetrieveContents([wish])
        known = {entry.name: entry.val for entry in found.propSet}
        if known["info.state"] in ("success", "error"):
            return known["info.result"]
        time.sleep(0.02)
    raise AssertionError("the search did not end")


def read_file(center: Running, raw: Raw, path: str) -> bytes:
    """Return what is in a file."""
    return _http(center, raw, "GET", path)


def write_file(center: Running, raw: Raw, path: str, data: bytes) -> None:
    """Put a file on a datastore."""
    _http(center, raw, "PUT", path, data)


def _http(center: Running, raw: Raw, method: str, path: str, body: bytes | None = None) -> bytes:
    url = urlsplit(center.url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection: Any = http.client.HTTPSConnection(url.hostname or "", url.port, context=context)
    store, _, inside = path.removeprefix("[").partition("] ")
    where = raw.content.rootFolder.childEntity[0].name
    query = f"dcPath={quote(where)}&dsName={quote(store)}"
    headers = {"Cookie": raw.service._stub.cookie.split(";")[0]}
    connection.request(method, f"/folder/{quote(inside)}?{query}", body, headers)
    answer = connection.getresponse()
    data: bytes = answer.read()
    connection.close()
    assert answer.status in (200, 201), (answer.status, path)
    return data
