"""Network adapters of domains that are there."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hvsdk import Domain, Host, NicSpec, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect, domain_calls

Card = vim.vm.device.VirtualEthernetCard


def _card(raw: Raw, domain: Domain, key: str) -> Any:
    return next(one for one in raw.vm(domain.native_id).config.hardware.device if str(one.key) == key)


def _network(host: Host, kind: str) -> str:
    return next(one.name for one in host.networks() if one.details["vmware.kind"] == kind)


@pytest.mark.parametrize("state", ["shutoff", "running"])
def test_an_adapter_is_vmxnet3_and_plugged(spare: Domain, raw: Raw, center: Running, state: str) -> None:
    raw.reach(spare.native_id, state)
    made = []
    calls = domain_calls(center, lambda: made.append(spare.attach_nic(NicSpec())))
    assert calls["ReconfigVM_Task"] == 1
    (nic,) = made
    assert (nic.model, nic.link_up) == ("vmxnet3", True)
    assert nic.mac is not None
    assert len(spare.nics) == 2


@pytest.mark.parametrize("model", ["vmxnet3", "vmxnet2", "e1000", "e1000e", "pcnet32"])
def test_each_model_is_as_asked(spare: Domain, model: str) -> None:
    assert spare.attach_nic(NicSpec(model=model)).model == model


def test_a_distributed_port_group_is_reached_by_its_switch(spare: Domain, host: Host, raw: Raw) -> None:
    name = _network(host, "distributed")
    nic = spare.attach_nic(NicSpec(network=name, link_up=False))
    assert (nic.network, nic.link_up) == (name, False)
    port = _card(raw, spare, nic.id).backing.port
    groups = raw.all(vim.dvs.DistributedVirtualPortgroup)
    group = next(one for one in groups if one.key == port.portgroupKey)
    assert (group.name, port.switchUuid) == (name, group.config.distributedVirtualSwitch.uuid)


def test_a_network_is_named_by_its_id_too(spare: Domain, host: Host) -> None:
    network = next(one for one in host.networks() if one.details["vmware.kind"] == "standard")
    assert spare.attach_nic(NicSpec(network=network.id)).network == network.name


def test_a_host_by_itself_has_standard_networks(esxi: Running) -> None:
    raw = Raw(esxi)
    native_id = raw.make_vm("adapters-on-a-host")
    try:
        with connect(esxi) as host:
            domain = host.domain(native_id)
            nic = domain.attach_nic(NicSpec(network="VM Network", mac="00:50:56:3f:ff:ff"))
            assert (nic.network, nic.mac) == ("VM Network", "00:50:56:3f:ff:ff")
            domain.detach_nic(nic)
            assert len(domain.nics) == 1
    finally:
        raw.remove_vm(native_id)
        raw.close()


def test_a_mac_is_kept_and_not_given_twice(spare: Domain, raw: Raw) -> None:
    nic = spare.attach_nic(NicSpec(mac="52:54:00:0a:0b:0c"))
    assert (nic.mac, _card(raw, spare, nic.id).addressType) == ("52:54:00:0a:0b:0c", "manual")
    with pytest.raises(errors.AlreadyExistsError, match="52:54:00:0a:0b:0c"):
        spare.attach_nic(NicSpec(mac="52:54:00:0A:0B:0C"))


@pytest.mark.parametrize(
    "wish",
    [
        {"mac": "00:0c:29:00:00:01"},
        {"mac": "00:05:69:00:00:01"},
        {"mac": "00:50:56:40:00:00"},
        {"mac": "00:50:56:bf:00:01"},
        {"model": "virtio"},
        {"vlan": 4094},
        {"mtu": 1234},
        {"hints": {"vmware.colour": "red"}},
    ],
    ids=str,
)
def test_what_vsphere_cannot_do_is_refused_before_anything_changes(
    spare: Domain, center: Running, wish: dict[str, Any]
) -> None:
    center.reset_counts()
    with pytest.raises(errors.InvalidSpecError):
        spare.attach_nic(NicSpec(**wish))
    assert center.counts().get("ReconfigVM_Task", 0) == 0


@pytest.mark.parametrize("name", ["no such", "%2f", "<x>&'\"", "$(id)\n"])
def test_a_network_that_is_not_there_is_told_with_those_that_are(spare: Domain, name: str) -> None:
    with pytest.raises(errors.NetworkNotFoundError, match="VM Network"):
        spare.attach_nic(NicSpec(network=name))


def test_more_than_ten_adapters_are_refused(spare: Domain) -> None:
    for _ in range(9):
        spare.attach_nic(NicSpec())
    with pytest.raises(errors.InvalidSpecError, match="10 adapters"):
        spare.attach_nic(NicSpec())


@pytest.mark.parametrize("state", ["shutoff", "running"])
def test_a_link_goes_down_and_up_and_is_left_alone_when_it_is_so(
    spare: Domain, raw: Raw, center: Running, state: str
) -> None:
    raw.reach(spare.native_id, state)
    nic = spare.refresh().nics[0]
    for up in (False, True):
        spare.set_nic_link(nic, up)
        link = _card(raw, spare, nic.id).connectable
        assert (link.startConnected, spare.refresh().nics[0].link_up) == (up, up)
        assert link.connected is (up and state == "running")
        calls = domain_calls(center, functools.partial(spare.set_nic_link, nic, up))
        assert "ReconfigVM_Task" not in calls
    assert spare.nics[0].mac == nic.mac
    assert spare.nics[0].network == nic.network


def test_an_adapter_goes_by_id_and_by_mac(spare: Domain) -> None:
    first, second = spare.attach_nic(NicSpec()), spare.attach_nic(NicSpec())
    spare.detach_nic(first.id)
    spare.detach_nic(str(second.mac))
    assert {nic.id for nic in spare.refresh().nics}.isdisjoint({first.id, second.id})
    with pytest.raises(errors.NicNotFoundError):
        spare.detach_nic(first.id)


def test_a_suspended_domain_keeps_its_adapters(spare: Domain, raw: Raw, center: Running) -> None:
    raw.reach(spare.native_id, "suspended")
    spare.refresh()
    center.reset_counts()
    for refused in (
        lambda: spare.attach_nic(NicSpec()),
        lambda: spare.detach_nic(spare.nics[0]),
        lambda: spare.set_nic_link(spare.nics[0], False),
    ):
        with pytest.raises(errors.PowerStateError):
            refused()
    assert center.counts().get("ReconfigVM_Task", 0) == 0


def test_a_refused_adapter_is_not_there(spare: Domain, center: Running) -> None:
    center.fault("ReconfigVM_Task:task-error=InvalidDeviceSpec:1")
    with pytest.raises(errors.InvalidSpecError):
        spare.attach_nic(NicSpec())
    assert len(spare.refresh().nics) == 1


def test_a_lost_answer_is_told_as_such(spare: Domain, center: Running) -> None:
    center.fault("ReconfigVM_Task:drop-after:1")
    with pytest.raises(errors.OutcomeUnknownError):
        spare.attach_nic(NicSpec())
