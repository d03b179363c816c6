"""The power of the simulated Hyper-V host's virtual machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hvsdk_simulators.hyperv.cmdlets import registry
from hyperv_lab import Lab

NAMES = ["Off", "Running", "Paused", "Saved"]
DONE = {
    "Start-VM": {"Off": "Running", "Running": "Running", "Saved": "Running"},
    "Suspend-VM": {"Running": "Paused", "Paused": "Paused"},
    "Resume-VM": {"Paused": "Running", "Running": "Running"},
    "Save-VM": {"Running": "Saved", "Paused": "Saved", "Saved": "Saved"},
    "Restart-VM": {"Running": "Running", "Paused": "Running"},
    "Remove-VMSavedState": {"Saved": "Off", "Off": "Off"},
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("state", NAMES)
@pytest.mark.parametrize("cmdlet", DONE)
def test_each_state_allows_what_the_product_allows(lab: Lab, cmdlet: str, state: str) -> None:
    vm = lab.vm()
    vm.owner.state = state
    expected = DONE[cmdlet].get(state)
    if expected is None:
        error = lab.error(cmdlet, VM=[vm])
        assert (error.error_id, error.category) == ("InvalidState", "InvalidOperation")
        assert vm.owner.state == state
    else:
        lab.run(cmdlet, VM=[vm])
        assert vm.owner.state == expected


@pytest.mark.parametrize(
    ("cmdlet", "state", "how"),
    [
        ("Start-VM", "Running", {}),
        ("Stop-VM", "Off", {"TurnOff": True}),
        ("Stop-VM", "Off", {}),
        ("Stop-VM", "Saved", {"Save": True}),
        ("Save-VM", "Saved", {}),
        ("Suspend-VM", "Paused", {}),
        ("Resume-VM", "Running", {}),
    ],
)
def test_what_is_so_already_is_a_warning(lab: Lab, cmdlet: str, state: str, how: dict[str, bool]) -> None:
    vm = lab.vm()
    vm.owner.state = state
    warnings: list[str] = []
    assert registry.run(lab.world, cmdlet, {"VM": [vm], **how}, warnings) == []
    assert warnings == ["The virtual machine is already in the specified state."]
    assert vm.owner.state == state


def test_power_is_cut_and_memory_is_not_given_up_by_that(lab: Lab) -> None:
    vm = lab.vm()
    vm.owner.state = "Running"
    lab.run("Stop-VM", VM=[vm], TurnOff=True, Force=True)
    assert vm.owner.state == "Off"
    vm.owner.state = "Saved"
    assert lab.error("Stop-VM", VM=[vm], TurnOff=True).error_id == "InvalidState"


def test_a_guest_without_the_service_is_not_shut_down(lab: Lab) -> None:
    vm = lab.vm()
    lab.run("Start-VM", VM=[vm])
    vm.owner.guest.tools = False
    asked = lab.error("Stop-VM", VM=[vm])
    assert (asked.error_id, asked.category) == ("InvalidOperation", "InvalidOperation")
    forced = lab.error("Stop-VM", VM=[vm], Force=True)
    assert (forced.error_id, forced.category) == ("OperationFailed", "NotSpecified")
    assert vm.owner.state == "Running"
    vm.owner.guest.tools = True
    lab.run("Stop-VM", VM=[vm])
    assert vm.owner.state == "Off"


def test_what_was_paused_is_paused_when_its_memory_comes_back(lab: Lab) -> None:
    vm = lab.vm()
    lab.run("Start-VM", VM=[vm])
    lab.run("Suspend-VM", VM=[vm])
    lab.run("Save-VM", VM=[vm])
    boots = vm.owner.guest.boots
    lab.run("Start-VM", VM=[vm])
    assert (vm.owner.state, vm.owner.guest.boots) == ("Paused", boots)


def test_a_host_without_memory_starts_nothing(lab: Lab) -> None:
    vm = lab.vm()
    vm.owner.hardware.memory_startup = 1 << 42
    error = lab.error("Start-VM", VM=[vm])
    assert (error.error_id, error.hresult) == ("OutOfMemory", 0x8007000E)
    assert vm.owner.state == "Off"


def test_a_machine_whose_disk_is_gone_does_not_start(lab: Lab) -> None:
    vm, path = lab.vm(), lab.disk("a.vhdx")
    lab.run("Add-VMHardDiskDrive", VM=[vm], Path=path)
    lab.run("Remove-Item", LiteralPath=[path])
    assert lab.error("Start-VM", VM=[vm]).hresult == 0x80070002
    assert vm.owner.state == "Off"


def test_adapters_get_their_addresses_at_the_first_start(lab: Lab) -> None:
    vm = lab.vm()
    lab.run("Add-VMNetworkAdapter", VM=[vm])
    (adapter,) = lab.run("Get-VMNetworkAdapter", VM=[vm])
    assert adapter["MacAddress"] == "0" * 12
    lab.run("Start-VM", VM=[vm])
    (adapter,) = lab.run("Get-VMNetworkAdapter", VM=[vm])
    assert adapter["MacAddress"].startswith("00155D")
