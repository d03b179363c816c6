"""Every property that is read exists in the API's own model, in the oldest version that is spoken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from pyVmomi import vim
from pyVmomi.VmomiSupport import GetVmodlType, IsChildVersion, ManagedObject

from hvsdk_vmware import _networks, _nodes, _pools
from hvsdk_vmware._around import AROUND_PATHS
from hvsdk_vmware._fields import Element, Found
from hvsdk_vmware._places import inventory_path
from hvsdk_vmware._records import domain_paths
from hvsdk_vmware._stub import BASELINE
from hvsdk_vmware._subscription import WATCHED

EVERYTHING = frozenset({"config", "guest"})
READ: tuple[Mapping[type, Iterable[str]], ...] = (
    {vim.VirtualMachine: domain_paths(EVERYTHING, created=False)},
    AROUND_PATHS,
    WATCHED,
    _networks._PATHS,
    _networks._SWITCH_PATHS,
    {vim.HostSystem: (*_nodes._PATHS, "configManager.autoStartManager")},
    {vim.Datastore: (*_pools._PATHS, "browser")},
    {vim.Task: ("info.state", "info.progress", "info.error", "info.result")},
)
NARROWED = {"config.maxMtu": "vim.dvs.VmwareDistributedVirtualSwitch.ConfigInfo"}
"""Paths that go on in a type that the model only names the parent of."""


PATHS = [(kind, path) for group in READ for kind, paths in group.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), PATHS, ids=lambda value: str(getattr(value, "__name__", value)))
def test_a_property_that_is_read_exists(kind: type, path: str) -> None:
    at = kind
    for step in path.split("."):
        if step == "maxMtu":
            at = GetVmodlType(NARROWED[path])
        found = at._GetPropertyInfo(step)  # type: ignore[attr-defined]
        assert IsChildVersion(BASELINE, found.version), f"{step} came with {found.version}"
        at = found.type
    assert not isinstance(at, ManagedObject)


def test_the_creation_date_came_with_6_7() -> None:
    info = GetVmodlType("vim.vm.ConfigInfo")._GetPropertyInfo("createDate")
    assert IsChildVersion("vim.version.version12", info.version)
    assert not IsChildVersion(BASELINE, info.version)


def inventory(*objects: tuple[str, str, str, str]) -> dict[str, Found]:
    """Return objects by id; each is kind, id, name and parent."""

    def value(text: str) -> Element:
        element = Element("val")
        element.text = text
        return element

    return {
        key: Found(kind, key, {"name": value(name)} | ({"parent": value(parent)} if parent else {}))
        for kind, key, name, parent in objects
    }


def test_a_datacenter_in_folders_has_a_path_without_the_root() -> None:
    found = inventory(
        ("Datacenter", "dc-1", "Berlin%2f1", "group-2"),
        ("Folder", "group-2", "Europe", "group-1"),
        ("Folder", "group-1", "Datacenters", ""),
    )
    assert inventory_path(found["dc-1"], found.values()) == "Europe/Berlin%2f1"
    assert inventory_path(found["dc-1"], [found["dc-1"]]) == "Berlin%2f1", "this user does not see the folders"


def test_folders_in_each_other_end() -> None:
    found = inventory(("Datacenter", "dc-1", "a", "group-1"), ("Folder", "group-1", "b", "dc-1"))
    assert inventory_path(found["dc-1"], found.values()).startswith("b/a/")
