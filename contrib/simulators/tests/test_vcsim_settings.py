"""What hosts, networks and virtual machines of the simulator of vSphere keep of what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, eventually, running

Autostart = vim.host.AutoStartManager


@pytest.fixture(scope="module", params=["vcenter", "esxi"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    options: dict[str, Any] = {"esx": True} if request.param == "esxi" else {"hosts": 2}
    with running(domains=10, **options) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def entry(vm: Any, **more: Any) -> Any:
    settings = {
        "startOrder": -1,
        "startDelay": -1,
        "waitForHeartbeat": "systemDefault",
        "startAction": "powerOn",
        "stopAction": "systemDefault",
        "stopDelay": -1,
    }
    return Autostart.AutoPowerInfo(key=vm, **{**settings, **more})


def test_a_host_starts_what_it_is_told_to(client: Client) -> None:
    vm = client.vms()[0]
    host = vm.runtime.host
    manager = host.configManager.autoStartManager
    assert manager.config.defaults.enabled is False
    manager.ReconfigureAutostart(
        Autostart.Config(defaults=Autostart.SystemDefaults(enabled=True), powerInfo=[entry(vm)])
    )
    manager.ReconfigureAutostart(Autostart.Config(powerInfo=[entry(vm, startAction="none")]))
    for told in (manager.config, host.config.autoStart):
        assert (told.defaults.enabled, told.defaults.startDelay) == (True, 120)
        assert [one.startAction for one in told.powerInfo if one.key == vm] == ["none"]


@pytest.mark.parametrize(
    "wrong", [{"startOrder": 0}, {"startAction": "suspend"}, {"stopAction": "nonsense"}, {"stopDelay": -2}]
)
def test_a_host_takes_no_entry_that_cannot_be(client: Client, wrong: dict[str, Any]) -> None:
    vm = client.vms()[1]
    manager = vm.runtime.host.configManager.autoStartManager
    with pytest.raises(vmodl.fault.InvalidArgument, match=next(iter(wrong))):
        manager.ReconfigureAutostart(Autostart.Config(powerInfo=[entry(vm, **wrong)]))
    assert vm not in [one.key for one in manager.config.powerInfo]


def test_a_machine_that_leaves_its_host_leaves_the_sequence(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[-1]
    host = vm.runtime.host
    host.configManager.autoStartManager.ReconfigureAutostart(Autostart.Config(powerInfo=[entry(vm)]))
    other = [one for one in client.all(vim.HostSystem) if one != host]
    if other:
        done(vm.MigrateVM_Task(host=other[0], priority="defaultPriority"))
        with pytest.raises(vmodl.fault.InvalidArgument):
            host.configManager.autoStartManager.ReconfigureAutostart(Autostart.Config(powerInfo=[entry(vm)]))
    else:
        done(vm.Destroy_Task())
    assert vm not in [one.key for one in host.config.autoStart.powerInfo]


def test_who_waits_hears_of_a_sequence(client: Client) -> None:
    vm = client.vms()[2]
    host = vm.runtime.host
    query = vmodl.query.PropertyCollector
    collector = client.content.propertyCollector.CreatePropertyCollector()
    wanted = query.PropertySpec(type=vim.HostSystem, pathSet=["config.autoStart"])
    collector.CreateFilter(query.FilterSpec(objectSet=[query.ObjectSpec(obj=host)], propSet=[wanted]), False)
    version = collector.WaitForUpdatesEx("", query.WaitOptions(maxWaitSeconds=1)).version
    host.configManager.autoStartManager.ReconfigureAutostart(Autostart.Config(powerInfo=[entry(vm)]))
    update = eventually(lambda: collector.WaitForUpdatesEx(version, query.WaitOptions(maxWaitSeconds=1)))
    (change,) = update.filterSet[0].objectSet[0].changeSet
    assert vm in [one.key for one in change.val.powerInfo]
    collector.DestroyPropertyCollector()


def test_notes_can_be_emptied(client: Client) -> None:
    vm = client.vms()[0]
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="of the build team")))
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=[vim.option.OptionValue(key="guestinfo.x", value="1")])))
    assert vm.config.annotation == "of the build team"
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="", numCPUs=vm.config.hardware.numCPU)))
    assert not vm.config.annotation
    assert not vm.summary.config.annotation


def test_switches_tell_their_uplinks(client: Client) -> None:
    groups = client.all(vim.dvs.DistributedVirtualPortgroup)
    uplinks = [one for one in groups if one.config.uplink]
    for one in uplinks:
        assert [tag.key for tag in one.tag] == ["SYSTEM/DVS.UPLINKPG"]
        assert list(one.config.distributedVirtualSwitch.config.uplinkPortgroup) == [one]
        assert list(one.vm) == []
    assert bool(uplinks) is (client.content.about.apiType == "VirtualCenter")
    assert len(groups) == 2 * len(uplinks)


def test_two_machines_of_a_folder_have_different_names(client: Client) -> None:
    first = client.vms()[0]
    other = next(one for one in client.vms()[1:] if one.parent == first.parent)
    with pytest.raises(vim.fault.DuplicateName) as refused:
        done(other.Rename_Task(first.name))
    assert refused.value.object == first


@pytest.mark.parametrize(
    ("name", "kept"), [("a/b\\c", "a%2fb%5cc"), ("a%2fb", "a%2fb"), ("50%", "50%25"), ("50%25", "50%25")]
)
def test_a_new_name_is_kept_with_escapes_and_its_files_as_they_are(client: Client, name: str, kept: str) -> None:
    vm = client.vms("poweredOn")[0]
    before = vm.name
    done(vm.Rename_Task(name))
    assert vm.name == kept
    assert done(vm.CreateScreenshot_Task()).startswith(vm.config.files.vmPathName.removesuffix(".vmx") + "-")
    done(vm.Rename_Task(before))


def test_each_machine_has_devices_of_its_own(client: Client) -> None:
    for vm in client.vms():
        devices = {one.key: one for one in vm.config.hardware.device}
        for controller in devices.values():
            listed = list(getattr(controller, "device", []))
            assert len(set(listed)) == len(listed)
            assert set(listed) <= set(devices)
