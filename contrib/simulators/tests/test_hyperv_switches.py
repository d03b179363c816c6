"""Virtual switches of the simulated Hyper-V host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.names import matches
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.vms import Adapter, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

ODD = ["a'b", "$(whoami)", "`n", "[x]*", "two\nlines", "“‘quotes’”", "x" * 90]


@pytest.fixture
def world(tmp_path: Path) -> World:
    registry.load()
    return World(Options(domains=0), tmp_path)


def run(world: World, name: str, **parameters: Any) -> list[Any]:
    return registry.run(world, name, parameters)


def test_a_new_switch_is_listed_and_found_by_its_id(world: World) -> None:
    (made,) = run(world, "New-VMSwitch", Name="Lab", SwitchType="Private")
    assert [one["Name"] for one in run(world, "Get-VMSwitch")] == ["Lab"]
    assert [one["Id"] for one in run(world, "Get-VMSwitch", Id=[made["Id"]])] == [made["Id"]]
    assert made["SwitchType"] == "Private"
    assert made["AllowManagementOS"] is False


def test_a_switch_on_an_adapter_is_external(world: World) -> None:
    (made,) = run(world, "New-VMSwitch", Name="Out", NetAdapterName=["Ethernet"], AllowManagementOS=False)
    assert (made["SwitchType"], made["NetAdapterInterfaceDescription"]) == ("External", "Ethernet")
    assert made["AllowManagementOS"] is False
    run(world, "Set-VMSwitch", VMSwitch=[made], AllowManagementOS=True, Notes="n")
    (seen,) = run(world, "Get-VMSwitch")
    assert (seen["AllowManagementOS"], seen["Notes"]) == (True, "n")
    with pytest.raises(CmdletError):
        run(world, "New-VMSwitch", Name="Again", NetAdapterName=["Ethernet"])


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_names(world: World, name: str) -> None:
    (made,) = run(world, "New-VMSwitch", Name=name, SwitchType="Internal")
    run(world, "Rename-VMSwitch", VMSwitch=[made], NewName=name + "2")
    assert run(world, "Get-VMSwitch")[0]["Name"] == name + "2"


def test_two_switches_may_have_one_name(world: World) -> None:
    for _ in range(2):
        run(world, "New-VMSwitch", Name="Lab", SwitchType="Internal")
    assert len(run(world, "Get-VMSwitch", Name="lab")) == 2
    vm = add_vm(world)
    with pytest.raises(CmdletError) as caught:
        run(world, "Connect-VMNetworkAdapter", VMName=[vm.name], SwitchName="Lab")
    assert caught.value.error_id == "InvalidOperation"


def test_names_may_hold_wildcards_when_they_are_looked_for(world: World) -> None:
    for name in ("web-1", "web-2", "db"):
        run(world, "New-VMSwitch", Name=name, SwitchType="Internal")
    assert [one["Name"] for one in run(world, "Get-VMSwitch", Name="web-*")] == ["web-1", "web-2"]
    assert run(world, "Get-VMSwitch", Name="none*") == []
    with pytest.raises(CmdletError) as caught:
        run(world, "Get-VMSwitch", Name="none")
    assert caught.value.error_id == "InvalidParameter"


def test_adapters_of_a_removed_switch_are_on_none(world: World) -> None:
    (made,) = run(world, "New-VMSwitch", Name="Lab", SwitchType="Internal")
    vm = add_vm(world, switch=made["Id"])
    run(world, "Remove-VMSwitch", VMSwitch=[made], Force=True)
    assert run(world, "Get-VMSwitch") == []
    assert vm.hardware.adapters[0].switch is None
    with pytest.raises(CmdletError) as caught:
        run(world, "Remove-VMSwitch", VMSwitch=[made], Force=True)
    assert caught.value.category == "ObjectNotFound"


@pytest.mark.parametrize(
    ("name", "pattern", "answer"),
    [
        ("Web", "web", True),
        ("web", "w?b", True),
        ("web1", "web[0-9]", True),
        ("webx", "web[0-9]", False),
        ("[x]*", "`[x`]`*", True),
        ("[x]*", "[x]*", False),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("a\nb", "a*", True),
    ],
)
def test_wildcards_are_those_of_powershell(name: str, pattern: str, answer: bool) -> None:
    assert matches(name, pattern) is answer


def add_vm(world: World, switch: Any = None) -> Vm:
    vm = Vm(id=world.new_id(), hardware=Hardware(name="one", adapters=[Adapter(switch=switch)]))
    world.vms[vm.id] = vm
    return vm
