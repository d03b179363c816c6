"""Fences: a template mark that all clients obey on a vCenter, a mark of hvsdk's own on an ESXi host."""

from __future__ import annotations

from collections.abc import Callable

import hvsdk
import pytest
from hvsdk.driver import Capability, errors
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vmware_support import Raw, connect, domain_calls, opened, soon

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._extra_config import PLACE_KEY
from hvsdk_vmware._fenced import Place


def extra(raw: Raw, native_id: str) -> dict[str, str]:
    return {one.key: one.value for one in raw.vm(native_id).config.extraConfig}


def marks(raw: Raw, native_id: str) -> list[str]:
    return [key for key in extra(raw, native_id) if "fence" in key]


def test_a_fenced_domain_is_started_by_nobody(raw: Raw, spare: hvsdk.Domain) -> None:
    spare.fence('moved to "kvm-1": <b>100%</b>')
    assert raw.vm(spare.native_id).config.template
    with pytest.raises((vmodl.fault.NotSupported, vim.fault.InvalidState)):
        raw.done(raw.vm(spare.native_id).PowerOn())
    for verb in (spare.start, spare.resume):
        with pytest.raises((errors.PermissionDeniedError, errors.PowerStateError)):
            verb()
    assert "moved to" in (spare.why_not("start") or "")
    assert "moved to" in (spare.why_not("create_snapshot") or "")


def test_start_names_the_reason(host: hvsdk.Host, spare: hvsdk.Domain) -> None:
    spare.fence("moved away")
    with pytest.raises(errors.PermissionDeniedError, match="moved away"):
        spare.start()
    summary = next(one for one in host.domains() if one.native_id == spare.native_id)
    with pytest.raises(errors.PermissionDeniedError, match="moved away"):
        summary.start()


@pytest.mark.parametrize("include", [(), ("guest",), ("config",), ("config", "guest")], ids=str)
def test_a_fenced_domain_is_listed_as_the_domain_that_it_was(
    host: hvsdk.Host, spare: hvsdk.Domain, include: tuple[str, ...]
) -> None:
    """To vSphere it is a template; people would miss it."""
    spare.fence("moved away")
    found = {one.native_id: one for one in host.domains(include=include)}
    assert not found[spare.native_id].is_template
    assert not any(one.is_template for one in found.values()), "templates are left out"
    assert not spare.refresh().is_template
    spare.fence("again")
    assert spare.fenced is not None
    assert spare.fenced.reason == "moved away"


def test_a_watch_does_not_take_a_fenced_domain_for_one_that_is_gone(
    center: Running, driver: VmwareDriver, spare: hvsdk.Domain
) -> None:
    _, token = driver.watch(None, 0.0, deadline=soon())
    list(driver.list_domains(frozenset(), deadline=soon()))
    spare.fence("moved away")
    told = []
    limit = soon()
    while not told and not limit.expired:
        changes, token = driver.watch(token, 1.0, deadline=soon())
        told = [one.info for one in changes if one.native_id == spare.native_id]
    listed = {one.native_id: one for one in driver.list_domains(frozenset(), deadline=soon())}
    assert [one.is_template for one in told if one is not None] == [False]
    assert listed[spare.native_id] == told[-1]


def test_a_template_that_nobody_fenced_is_refused_as_one(host: hvsdk.Host, raw: Raw, spare: hvsdk.Domain) -> None:
    raw.vm(spare.native_id).MarkAsTemplate()
    with pytest.raises(errors.UnsupportedError, match="template"):
        spare.start()
    with pytest.raises(errors.UnsupportedError, match="template"):
        spare.fence("moved")
    spare.refresh().unfence()
    assert raw.vm(spare.native_id).config.template
    assert marks(raw, spare.native_id) == []


def test_unfencing_brings_it_back_where_it_was(raw: Raw, spare: hvsdk.Domain) -> None:
    vm = raw.vm(spare.native_id)
    before = (vm.resourcePool, vm.runtime.host)
    spare.set_metadata({"team": "a"})
    spare.fence("moved")
    spare.unfence()
    assert not vm.config.template
    assert (vm.resourcePool, vm.runtime.host) == before
    assert marks(raw, spare.native_id) == []
    assert spare.refresh().metadata == {"team": "a"}
    spare.start()


def test_a_domain_whose_pool_is_gone_comes_back_on_its_host(raw: Raw, spare: hvsdk.Domain) -> None:
    vm = raw.vm(spare.native_id)
    top = vm.resourcePool
    share = vim.ResourceAllocationInfo(
        reservation=0, limit=-1, expandableReservation=True, shares=vim.SharesInfo(level="normal", shares=4000)
    )
    pool = top.CreateResourcePool("for-a-while", vim.ResourceConfigSpec(cpuAllocation=share, memoryAllocation=share))
    raw.done(vm.RelocateVM_Task(vim.vm.RelocateSpec(pool=pool)))
    assert vm.resourcePool == pool
    spare.fence("moved")
    raw.done(pool.Destroy_Task())
    spare.unfence()
    assert vm.resourcePool is not None
    spare.start()


@pytest.mark.parametrize("state", ["running", "suspended"])
def test_what_is_not_off_is_not_fenced(raw: Raw, spare: hvsdk.Domain, state: str) -> None:
    raw.reach(spare.native_id, state)
    with pytest.raises(errors.PowerStateError, match=state):
        spare.fence("moved")
    assert marks(raw, spare.native_id) == []
    assert raw.vm(spare.native_id).runtime.powerState in ("poweredOn", "suspended")


def test_a_fence_that_is_refused_leaves_no_mark(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    center.fault("MarkAsTemplate:error=NoPermission,not you:1")
    with pytest.raises(errors.PermissionDeniedError, match="not you"):
        spare.fence("moved")
    assert spare.refresh().info.fenced is None
    assert marks(raw, spare.native_id) == []


def test_a_fence_whose_answer_is_lost_holds(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    center.fault("MarkAsTemplate:drop-after:1")
    spare.fence("moved")
    assert raw.vm(spare.native_id).config.template
    assert spare.refresh().info.fenced is not None


def test_a_fence_that_did_not_arrive_leaves_no_mark(center: Running, driver: VmwareDriver, spare: hvsdk.Domain) -> None:
    center.fault("MarkAsTemplate:drop-before:1")
    with pytest.raises(ConnectionError):
        driver.fence(spare.native_id, "moved", deadline=soon())
    assert spare.refresh().info.fenced is None


def test_a_fence_that_fails_leaves_a_mark_that_was_there_before(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    spare.fence("first")
    vm = raw.vm(spare.native_id)
    vm.MarkAsVirtualMachine(raw.all(vim.ResourcePool)[0], vm.runtime.host)
    center.fault("MarkAsTemplate:error=NoPermission,not you:1")
    with pytest.raises(errors.PermissionDeniedError):
        spare.fence("second")
    mark = spare.refresh().info.fenced
    assert mark is not None
    assert mark.reason == "first"


def test_a_template_that_is_copied_from_a_fenced_domain_is_a_template(
    host: hvsdk.Host, raw: Raw, spare: hvsdk.Domain
) -> None:
    """Another client's copy has all keys of the original's configuration."""
    spare.fence("moved")
    vm = raw.vm(spare.native_id)
    place = vim.vm.RelocateSpec(host=vm.runtime.host, pool=raw.all(vim.ResourcePool)[0])
    spec = vim.vm.CloneSpec(location=place, powerOn=False, template=True)
    copy = raw.done(vm.CloneVM_Task(vm.parent, spare.name.replace("one", "two"), spec))
    assert PLACE_KEY in extra(raw, copy._moId)
    for include in ((), ("config",)):
        found = {one.native_id: one.is_template for one in host.domains(include=include, templates=True)}
        assert (found[spare.native_id], found[copy._moId]) == (False, True)


def test_a_mark_without_its_fence_is_completed_and_keeps_its_reason(
    center: Running, raw: Raw, spare: hvsdk.Domain
) -> None:
    spare.fence("first")
    vm = raw.vm(spare.native_id)
    vm.MarkAsVirtualMachine(raw.all(vim.ResourcePool)[0], vm.runtime.host)
    spare.fence("second")
    assert vm.config.template
    mark = spare.refresh().info.fenced
    assert mark is not None
    assert mark.reason == "first"


def test_an_unfencing_that_fails_half_way_can_be_repeated(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    spare.fence("moved")
    center.fault("ReconfigVM_Task:task-error=NoPermission,no:1")
    with pytest.raises(errors.PermissionDeniedError):
        spare.unfence()
    assert spare.refresh().info.fenced is not None
    spare.unfence()
    assert spare.refresh().info.fenced is None
    assert not raw.vm(spare.native_id).config.template


def test_a_fenced_domain_is_not_reverted_and_says_why(raw: Raw, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("before")
    spare.fence("moved away")
    with pytest.raises(errors.PermissionDeniedError, match="moved away"):
        snapshot.revert()


def test_fencing_twice_changes_nothing(center: Running, spare: hvsdk.Domain) -> None:
    spare.fence("first")
    calls = domain_calls(center, lambda: spare.fence("second"))
    assert "ReconfigVM_Task" not in calls
    assert "MarkAsTemplate" not in calls


def test_an_esxi_host_has_a_mark_alone(make_center: Callable[..., Running]) -> None:
    esxi = make_center(esx=True, domains=1)
    with connect(esxi) as host:
        assert not host.supports(Capability.FENCE)
        assert host.supports(Capability.FENCE_MARK)
        assert "template" in (host.why_not("fence") or "")
        (domain,) = host.domains()
        domain.power_off()
        domain.fence("moved")
        with pytest.raises(errors.PermissionDeniedError, match="moved"):
            domain.start()
        assert not domain.refresh().is_template
        if host.supports(Capability.SET_NIC_LINK):
            assert domain.nics[0].link_up is not True
        domain.unfence()
        domain.start()


@pytest.mark.parametrize("stored", ["", "x", "[]", "null", '"text"', '{"pool": 1}', "[" * 100_000], ids=range(7))
def test_a_place_that_cannot_be_read_is_none(stored: str) -> None:
    assert Place.read(stored).host == ""


def test_a_place_that_is_nonsense_does_not_keep_it_fenced(raw: Raw, spare: hvsdk.Domain) -> None:
    written = vim.option.OptionValue(key=PLACE_KEY, value='{"pool": "resgroup-999999", "host": "<&>"}')
    spare.fence("moved")
    vm = raw.vm(spare.native_id)
    vm.MarkAsVirtualMachine(raw.all(vim.ResourcePool)[0], vm.runtime.host)
    raw.done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=[written])))
    vm.MarkAsTemplate()
    spare.unfence()
    assert not vm.config.template


def test_a_fence_knows_that_it_is_one(center: Running, spare: hvsdk.Domain) -> None:
    spare.fence("moved")
    with opened(center) as driver:
        info = driver.get_domain(spare.native_id, frozenset({"config"}), deadline=soon())
        assert Capability.UNFENCE not in driver.domain_limits(info)
        assert Capability.START not in driver.domain_limits(info)
        assert Capability.SET_METADATA in driver.domain_limits(info)
