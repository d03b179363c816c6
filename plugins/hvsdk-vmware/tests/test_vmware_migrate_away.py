"""Moves to another vCenter: what it is told, and what is looked for there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect, opened, soon

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._targets import NoPlaceError


@pytest.fixture
def away(make_center: Callable[..., Running]) -> Iterator[tuple[Running, VmwareDriver]]:
    """Another vCenter, with a password of its own, and a driver on it."""
    running = make_center(hosts=2, seed=7, password="its own 'secret' & more")
    with opened(running) as driver:
        yield running, driver


def planned(driver: VmwareDriver, there: VmwareDriver, native_id: str, **wish: Any) -> Any:
    """Return what would be sent for a move to another vCenter."""
    vm = driver.subject(native_id, soon())
    move = driver.plan_there(vm, there, wish.get("node"), wish.get("pool"), soon())
    return driver.relocation(vm, there, move, soon())


def test_another_vcenter_is_told_with_its_own_login_and_certificate(
    driver: VmwareDriver, away: tuple[Running, VmwareDriver], domain: hvsdk.Domain
) -> None:
    running, there = away
    spec = planned(driver, there, domain.native_id)
    locator = spec.service
    assert locator.instanceUuid == there.content.about.instanceUuid
    assert locator.url == f"https://{there.target.hostname}:{there.target.port}/sdk"
    assert (locator.credential.username, locator.credential.password) == (running.username, running.password)
    digits = locator.sslThumbprint.replace(":", "")
    assert len(digits) == hashlib.sha1(usedforsecurity=False).digest_size * 2
    assert spec.folder is not None
    assert spec.pool is not None
    host = next(one for one in there.list_nodes(deadline=soon()) if one.id == spec.host._moId)
    assert host.state == "up"


def test_adapters_are_put_on_networks_of_the_same_name(
    driver: VmwareDriver, away: tuple[Running, VmwareDriver], raw: Raw
) -> None:
    native_id = next(
        one._moId
        for one in raw.all(vim.VirtualMachine)
        if any(
            isinstance(device.backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo)
            for device in one.config.hardware.device
        )
    )
    _, there = away
    (change,) = planned(driver, there, native_id).deviceChange
    group: Any = vim.dvs.DistributedVirtualPortgroup(change.device.backing.port.portgroupKey, there.stub)
    switch = there.call(lambda: group.config.distributedVirtualSwitch.uuid, deadline=soon())
    assert change.operation == "edit"
    assert change.device.backing.port.switchUuid == switch


def test_the_place_in_another_vcenter_can_be_named(
    driver: VmwareDriver, away: tuple[Running, VmwareDriver], domain: hvsdk.Domain
) -> None:
    _, there = away
    for node in there.list_nodes(deadline=soon()):
        for store in there.list_storage_pools(deadline=soon()):
            spec = planned(driver, there, domain.native_id, node=node.name, pool=store.name)
            assert (spec.host._moId, spec.datastore._moId) == (node.id, store.id)


def test_a_network_that_is_not_there_is_the_reason(
    driver: VmwareDriver, away: tuple[Running, VmwareDriver], domain: hvsdk.Domain, raw: Raw
) -> None:
    running, there = away
    other = Raw(running)
    network = domain.nics[0].network
    for one in other.all(vim.Network):
        if one.name == network:
            other.done(one.Rename_Task("renamed"))
    reason = driver.check_migrate(domain.native_id, there, node=None, pool=None, live=True, deadline=soon())
    other.close()
    assert reason is not None
    assert f"no network {network!r}" in reason


def test_a_network_of_which_nothing_is_known_is_the_reason(
    driver: VmwareDriver, away: tuple[Running, VmwareDriver], domain: hvsdk.Domain
) -> None:
    vm = driver.subject(domain.native_id, soon())
    card = next(one for one in vm.devices if isinstance(one, vim.vm.device.VirtualEthernetCard))
    card.backing = vim.vm.device.VirtualEthernetCard.OpaqueNetworkBackingInfo(
        opaqueNetworkId="x", opaqueNetworkType="nsx.LogicalSwitch"
    )
    changed = attrs.evolve(vm, values={**vm.values, "config.hardware.device": [card]})
    with pytest.raises(NoPlaceError, match=f"adapter {card.key}"):
        driver.plan_there(changed, away[1], None, None, soon())
    assert not driver.plan_here(changed, domain.node, None, soon())


def test_the_password_of_another_vcenter_is_shown_nowhere(
    center: Running, away: tuple[Running, VmwareDriver], domain: hvsdk.Domain
) -> None:
    running, _ = away
    for fault in ("RelocateVM_Task:error=InvalidLogin,no:1", "CheckRelocate_Task:error=InvalidArgument,no:1"):
        center.fault("CheckRelocate_Task:error=NotSupported,no:1" if fault.startswith("Reloc") else fault)
        center.fault(fault)
        with connect(running) as there, pytest.raises(errors.HvsdkError) as caught:
            domain.migrate(there)
        center.clear_faults()
        told, trace = f"{caught.value!r} {caught.value}", caught.value.__cause__
        while trace is not None:
            told += repr(trace)
            frame = trace.__traceback__
            while frame is not None:
                told += repr(list(frame.tb_frame.f_locals.values()))
                frame = frame.tb_next
            trace = trace.__cause__
        assert running.password not in told


@pytest.mark.parametrize("state", ["running", "shutoff"])
def test_a_domain_moves_to_another_vcenter(
    center: Running, away: tuple[Running, VmwareDriver], host: hvsdk.Host, raw: Raw, state: str
) -> None:
    running, driver = away
    native_id = raw.make_vm(f"moves-{state}")
    raw.reach(native_id, state)
    domain = host.domain(native_id)
    node = list(driver.list_nodes(deadline=soon()))[-1]
    with connect(running) as there:
        moved = domain.migrate(there, node=node.name)
        assert moved.host is there
        assert (moved.name, moved.uuid, moved.power_state) == (domain.name, domain.uuid, state)
        assert moved.node == node.name
        assert [nic.mac for nic in moved.nics] == [nic.mac for nic in domain.nics]
    with pytest.raises(errors.DomainNotFoundError):
        host.domain(native_id)


def test_a_move_to_another_vcenter_that_it_refuses(
    away: tuple[Running, VmwareDriver], host: hvsdk.Host, domain: hvsdk.Domain
) -> None:
    running, _ = away
    running.fault("CreateVM_Task:error=NoPermission,no:1")
    with connect(running) as there, pytest.raises(errors.PermissionDeniedError):
        domain.migrate(there)
    assert host.domain(domain.native_id).uuid == domain.uuid


def test_a_move_to_another_vcenter_is_cancelled(
    center: Running, away: tuple[Running, VmwareDriver], host: hvsdk.Host, domain: hvsdk.Domain
) -> None:
    running, _ = away
    center.fault("RelocateVM_Task:task-slow=20:1")
    cancel = threading.Event()
    timer = threading.Timer(0.5, cancel.set)
    timer.start()
    with connect(running) as there:
        with pytest.raises(errors.CancelledError):
            domain.migrate(there, cancel=cancel)
        assert not there.domains(where=lambda info: info.uuid == domain.uuid)
    timer.join()
    assert host.domain(domain.native_id).uuid == domain.uuid
