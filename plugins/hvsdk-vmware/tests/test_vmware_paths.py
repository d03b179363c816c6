"""Every property that is read exists in the API's own model, in the oldest version that is spoken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from pyVmomi import vim
from pyVmomi.VmomiSupport import GetVmodlType, IsChildVersion, ManagedObject

from hvsdk_vmware import _networks, _nodes, _pools
from hvsdk_vmware._around import AROUND_PATHS
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
