"""vSphere by hand: pyvmomi used as well as one can, the loop that most programs have, and Libcloud's driver."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from hvsdk_simulators import Running
from hvsdk_vmware._around import AROUND_PATHS
from hvsdk_vmware._records import domain_paths
from libcloud.compute.drivers.vsphere import VSphereNodeDriver
from pyVmomi import vim, vmodl
from pyVmomi.SoapAdapter import SoapStubAdapter

PAGE = 1000
VERSION = "vim.version.v8_0_2_0"
SUMMARY: Mapping[type, Iterable[str]] = {
    vim.VirtualMachine: domain_paths(frozenset(), created=True),
    vim.HostSystem: ("name",),
}
FULL: Mapping[type, Iterable[str]] = {
    vim.VirtualMachine: domain_paths(frozenset({"config", "guest"}), created=True),
    **AROUND_PATHS,
}
"""Exactly the properties that hvsdk reads."""
Collector = vmodl.query.PropertyCollector


class Raw:
    """One session, and a view for each kind of listing, which is kept."""

    def __init__(self, center: Running) -> None:
        host, port, certificate = _address(center)
        self._stub: Any = SoapStubAdapter(
            host=host, port=port, version=VERSION, sslContext=ssl.create_default_context(cadata=certificate)
        )
        service: Any = vim.ServiceInstance("ServiceInstance", self._stub)
        self.content: Any = service.RetrieveContent()
        self.content.sessionManager.Login(center.username, center.password)
        self._views: dict[frozenset[type], Any] = {}

    def read(self, properties: Mapping[type, Iterable[str]]) -> list[Any]:
        """Return all objects of these kinds with these properties: one call, and one for each further page."""
        view = self._view(frozenset(properties))
        way = Collector.TraversalSpec(name="view", type=type(view), path="view", skip=False)
        wish = Collector.FilterSpec(
            objectSet=[Collector.ObjectSpec(obj=view, skip=True, selectSet=[way])],
            propSet=[Collector.PropertySpec(type=kind, pathSet=list(paths)) for kind, paths in properties.items()],
        )
        collector = self.content.propertyCollector
        page = collector.RetrievePropertiesEx([wish], Collector.RetrieveOptions(maxObjects=PAGE))
        found = list(page.objects)
        while page.token:
            page = collector.ContinueRetrievePropertiesEx(page.token)
            found += page.objects
        return found

    def one_by_one(self) -> list[tuple[Any, ...]]:
        """Ask each VM for what a summary has, as most programs do."""
        return [
            (
                vm.name,
                vm.summary.config.instanceUuid,
                vm.summary.config.numCpu,
                vm.summary.config.memorySizeMB,
                vm.runtime.powerState,
                vm.runtime.host.name,
            )
            for vm in self._view(frozenset({vim.VirtualMachine})).view
        ]

    def vm(self, native_id: str) -> Any:
        """Return a VM by its id."""
        return vim.VirtualMachine(native_id, self._stub)

    def look(self, mo: Any, *paths: str) -> dict[str, Any]:
        """Return properties of one object: one call."""
        wish = Collector.FilterSpec(
            objectSet=[Collector.ObjectSpec(obj=mo)],
            propSet=[Collector.PropertySpec(type=type(mo), pathSet=list(paths))],
        )
        (found,) = self.content.propertyCollector.RetrievePropertiesEx([wish], Collector.RetrieveOptions()).objects
        return {entry.name: entry.val for entry in found.propSet}

    def finish(self, task: Any) -> None:
        """Wait for a task with a filter, which tells of the end when it comes."""
        collector = self.content.propertyCollector
        wish = Collector.FilterSpec(
            objectSet=[Collector.ObjectSpec(obj=task)],
            propSet=[Collector.PropertySpec(type=vim.Task, pathSet=["info.state", "info.error"])],
        )
        with_filter = collector.CreateFilter(wish, True)
        version, state = "", None
        while state not in ("success", "error"):
            update = collector.WaitForUpdatesEx(version, Collector.WaitOptions(maxWaitSeconds=30))
            if update is None:
                continue
            version = update.version
            for change in (change for part in update.filterSet for each in part.objectSet for change in each.changeSet):
                state = change.val if change.name == "info.state" else state
        with_filter.Destroy()

    def _view(self, kinds: frozenset[type]) -> Any:
        if kinds not in self._views:
            make = self.content.viewManager.CreateContainerView
            self._views[kinds] = make(self.content.rootFolder, list(kinds), True)
        return self._views[kinds]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.content.sessionManager.Logout()
        self._stub.DropConnections()


def libcloud(center: Running) -> Any:
    """Return Libcloud's driver, logged in."""
    host, port, certificate = _address(center)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate)
        file.flush()
        driver: Any = VSphereNodeDriver
        return driver(host, center.username, center.password, port, ca_cert=file.name)


def _address(center: Running) -> tuple[str, int, str]:
    """Return host, port and the certificate that it shows."""
    url = urlsplit(center.url)
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port, ssl.get_server_certificate((url.hostname, url.port))
