"""Network adapters of the simulated Hyper-V host, and their VLANs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.adapter_records import assign_macs
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.records import Record
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.vms import Adapter, Hardware, Vm
from hvsdk_simulators.hyperv.world import Switch, World


class Lab:
    """A world with a switch and one VM that has an adapter."""

    def __init__(self, root: Path, version: int = 2022, generation: int = 2) -> None:
        registry.load()
        self.world = World(Options(domains=0, version=version), root)
        self.switch = Switch(name="Lab")
        self.world.switches[self.switch.id] = self.switch
        self.adapter = Adapter(switch=self.switch.id)
        self.vm = Vm(generation=generation, node="HV-1", hardware=Hardware(name="one", adapters=[self.adapter]))
        self.world.vms[self.vm.id] = self.vm
        self.record = Record("VirtualMachine", str(self.vm.id), {"Id": self.vm.id}, self.vm)

    def run(self, name: str, **parameters: Any) -> list[Any]:
        return registry.run(self.world, name, parameters)

    def one(self) -> Record:
        (found,) = self.run("Get-VMNetworkAdapter", VM=[self.record])
        assert isinstance(found, Record)
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_an_adapter_is_shown_as_the_module_shows_it(lab: Lab) -> None:
    record = lab.one()
    assert re.fullmatch(r"Microsoft:[0-9A-F-]{36}\\[0-9A-F-]{36}", record["Id"])
    assert record["MacAddress"] == "000000000000"
    assert (record["Connected"], record["SwitchName"], record["SwitchId"]) == (True, "Lab", lab.switch.id)
    assert record["VlanSetting"]["OperationMode"] == "Untagged"
    assert record["Status"] is None


def test_a_dynamic_mac_is_made_once(lab: Lab) -> None:
    assign_macs(lab.world, lab.vm)
    mac = lab.one()["MacAddress"]
    assert re.fullmatch("00155D[0-9A-F]{6}", mac)
    assign_macs(lab.world, lab.vm)
    assert lab.one()["MacAddress"] == mac


def test_an_adapter_is_added_and_removed(lab: Lab) -> None:
    (made,) = lab.run(
        "Add-VMNetworkAdapter",
        VM=[lab.record],
        Name="second",
        StaticMacAddress="00-15-5d-00-00-01",
        SwitchName="lab",
        Passthru=True,
    )
    assert (made["MacAddress"], made["DynamicMacAddressEnabled"]) == ("00155D000001", False)
    assert made["SwitchName"] == "Lab"
    lab.run("Remove-VMNetworkAdapter", VMNetworkAdapter=[made])
    assert len(lab.vm.hardware.adapters) == 1
    with pytest.raises(CmdletError) as caught:
        lab.run("Remove-VMNetworkAdapter", VMNetworkAdapter=[made])
    assert caught.value.category == "ObjectNotFound"


@pytest.mark.parametrize(
    ("version", "generation", "legacy", "possible"),
    [(2022, 2, False, True), (2022, 1, False, False), (2022, 1, True, False), (2012, 2, False, False)],
)
def test_adapters_are_plugged_into_a_running_machine_where_hardware_and_host_can(
    tmp_path: Path, version: int, generation: int, legacy: bool, possible: bool
) -> None:
    lab = Lab(tmp_path, version, generation)
    lab.vm.state = "Running"
    if possible:
        lab.run("Add-VMNetworkAdapter", VM=[lab.record], IsLegacy=legacy)
        assert lab.vm.hardware.adapters[-1].mac.startswith("00155D")
        return
    with pytest.raises(CmdletError) as caught:
        lab.run("Add-VMNetworkAdapter", VM=[lab.record], IsLegacy=legacy)
    assert caught.value.error_id == ("Unspecified" if version == 2012 else "InvalidState")
    with pytest.raises(CmdletError):
        lab.run("Remove-VMNetworkAdapter", VMNetworkAdapter=[lab.one()])
    assert len(lab.vm.hardware.adapters) == 1


def test_generation_2_has_no_legacy_adapters(lab: Lab) -> None:
    with pytest.raises(CmdletError) as caught:
        lab.run("Add-VMNetworkAdapter", VM=[lab.record], IsLegacy=True)
    assert caught.value.category == "InvalidArgument"


@pytest.mark.parametrize("state", ["Off", "Running", "Saved", "Paused"])
def test_the_switch_is_changed_in_any_state(lab: Lab, state: str) -> None:
    lab.vm.state = state
    lab.run("Disconnect-VMNetworkAdapter", VMNetworkAdapter=[lab.one()])
    assert (lab.one()["Connected"], lab.one()["SwitchName"]) == (False, None)
    (switch,) = lab.run("Get-VMSwitch")
    lab.run("Connect-VMNetworkAdapter", VMNetworkAdapter=[lab.one()], VMSwitch=switch)
    assert lab.one()["Connected"] is True


def test_a_switch_that_is_gone_is_not_connected_to(lab: Lab) -> None:
    (switch,) = lab.run("Get-VMSwitch")
    lab.world.switches.clear()
    with pytest.raises(CmdletError) as caught:
        lab.run("Connect-VMNetworkAdapter", VMNetworkAdapter=[lab.one()], VMSwitch=switch)
    assert caught.value.category == "ObjectNotFound"
    with pytest.raises(CmdletError):
        lab.run("Connect-VMNetworkAdapter", VMNetworkAdapter=[lab.one()], SwitchName="Lab")


def test_a_mac_is_changed_only_while_the_machine_is_off(lab: Lab) -> None:
    lab.run("Set-VMNetworkAdapter", VMNetworkAdapter=lab.one(), StaticMacAddress="00155D0A0B0C", DhcpGuard="On")
    assert (lab.one()["MacAddress"], lab.one()["DhcpGuard"]) == ("00155D0A0B0C", "On")
    lab.vm.state = "Running"
    with pytest.raises(CmdletError) as caught:
        lab.run("Set-VMNetworkAdapter", VMNetworkAdapter=lab.one(), StaticMacAddress="00155D0A0B0D")
    assert caught.value.error_id == "InvalidState"
    lab.vm.state = "Off"
    with pytest.raises(CmdletError):
        lab.run("Set-VMNetworkAdapter", VMNetworkAdapter=lab.one(), StaticMacAddress="nonsense")


def test_vlans_are_set_and_taken_back(lab: Lab) -> None:
    lab.run("Set-VMNetworkAdapterVlan", VMNetworkAdapter=[lab.one()], Access=True, VlanId=12)
    (seen,) = lab.run("Get-VMNetworkAdapterVlan", VMNetworkAdapter=[lab.one()])
    assert (seen["OperationMode"], seen["AccessVlanId"]) == ("Access", 12)
    lab.run(
        "Set-VMNetworkAdapterVlan",
        VMNetworkAdapter=[lab.one()],
        Trunk=True,
        AllowedVlanIdList="1-3,7",
        NativeVlanId=5,
    )
    setting = lab.one()["VlanSetting"]
    assert (setting["AllowedVlanIdList"], setting["NativeVlanId"]) == ([1, 2, 3, 7], 5)
    lab.run("Set-VMNetworkAdapterVlan", VMNetworkAdapter=[lab.one()], Untagged=True)
    assert lab.one()["VlanSetting"]["OperationMode"] == "Untagged"
    with pytest.raises(CmdletError):
        lab.run("Set-VMNetworkAdapterVlan", VMNetworkAdapter=[lab.one()], Access=True, VlanId=5000)


def test_adapters_of_many_machines_are_read_at_once(lab: Lab) -> None:
    other = Vm(hardware=Hardware(name="[x]*", adapters=[Adapter(), Adapter()]))
    lab.world.vms[other.id] = other
    record = Record("VirtualMachine", str(other.id), {"Id": other.id}, other)
    found = lab.run("Get-VMNetworkAdapter", VM=[lab.record, record])
    assert [one["VMId"] for one in found] == [lab.vm.id, other.id, other.id]
    assert len(lab.run("Get-VMNetworkAdapter", All=True)) == 3
    del lab.world.vms[other.id]
    with pytest.raises(CmdletError):
        lab.run("Get-VMNetworkAdapter", VM=[lab.record, record])


def test_a_guest_tells_its_addresses_once_its_services_run(lab: Lab) -> None:
    lab.vm.guest.addresses[0] = ["10.0.0.5", "fe80::1"]
    assert lab.one()["IPAddresses"] == []
    lab.vm.state = "Running"
    assert lab.one()["IPAddresses"] == ["10.0.0.5", "fe80::1"]
    lab.vm.guest.tools = False
    assert lab.one()["IPAddresses"] == []
