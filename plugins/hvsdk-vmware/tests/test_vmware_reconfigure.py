"""vCPUs and memory of domains that are there."""

from __future__ import annotations

from typing import Any

import pytest
from hvsdk import CpuTopology, Domain, PowerState, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect, domain_calls

GIB = 1 << 30


def hot(raw: Raw, spare: Domain, **more: Any) -> None:
    """Let more be added while it runs."""
    spec = vim.vm.ConfigSpec(cpuHotAddEnabled=True, memoryHotAddEnabled=True, **more)
    raw.done(raw.vm(spare.native_id).ReconfigVM_Task(spec))


def test_a_domain_that_is_off_takes_all_in_one_call(center: Running, spare: Domain) -> None:
    changes = {"vcpus": 8, "memory": "2GiB", "cpu_topology": CpuTopology(sockets=2, cores=4, threads=1)}
    calls = domain_calls(center, lambda: spare.reconfigure(**changes))
    assert calls["ReconfigVM_Task"] == 1
    info = spare.refresh().info
    assert (info.vcpus, info.memory_bytes, info.cpu_topology) == (8, 2 * GIB, changes["cpu_topology"])


def test_a_running_domain_refuses_what_it_cannot_take(center: Running, raw: Raw, spare: Domain) -> None:
    raw.reach(spare.native_id, "running")
    wishes: list[dict[str, Any]] = [
        {"vcpus": 2},
        {"memory": "128MiB"},
        {"max_vcpus": 4},
        {"max_memory": "1GiB"},
        {"hints": {"vmware.cpu_hot_add": True}},
        {"vcpus": 4, "cpu_topology": CpuTopology(sockets=1, cores=4, threads=1)},
    ]
    for wish in wishes:
        calls = domain_calls(center, lambda wish=wish: refused(spare, wish))
        assert "ReconfigVM_Task" not in calls, "it was asked before it was refused"


def refused(spare: Domain, wish: dict[str, Any]) -> None:
    with pytest.raises(errors.PowerStateError) as failed:
        spare.reconfigure(**wish)
    assert failed.value.state is PowerState.RUNNING
    assert failed.value.hint == "shut it down first"


def test_a_running_domain_with_hot_add_grows_at_once(raw: Raw, spare: Domain) -> None:
    hot(raw, spare)
    raw.reach(spare.native_id, "running")
    applied = spare.reconfigure(vcpus=2, memory="128MiB")
    assert applied.live == {"vcpus", "memory"}
    assert not applied.next_boot
    assert (spare.vcpus, spare.memory_bytes, spare.power_state) == (2, 128 << 20, PowerState.RUNNING)


def test_a_running_domain_never_shrinks(raw: Raw, spare: Domain) -> None:
    spare.reconfigure(vcpus=4, memory="256MiB")
    hot(raw, spare)
    raw.reach(spare.native_id, "running")
    for wish in ({"vcpus": 2}, {"memory": "128MiB"}):
        with pytest.raises(errors.PowerStateError, match="while it runs"):
            spare.reconfigure(**wish)
    assert (spare.refresh().vcpus, spare.memory_bytes) == (4, 256 << 20)


def test_the_same_sizes_are_no_change(raw: Raw, spare: Domain) -> None:
    raw.reach(spare.native_id, "running")
    spare.refresh()
    assert spare.reconfigure(vcpus=spare.vcpus, memory=spare.memory_bytes).live == {"vcpus", "memory"}


def test_a_maximum_says_whether_more_can_be_added(spare: Domain) -> None:
    spare.reconfigure(max_vcpus=8, max_memory="4GiB")
    details = spare.refresh().info.details
    assert (details["vmware.cpu_hot_add"], details["vmware.memory_hot_add"]) == (True, True)
    assert spare.max_vcpus is None, "vSphere does not say how many"
    spare.reconfigure(max_vcpus=spare.vcpus, max_memory=spare.memory_bytes)
    details = spare.refresh().info.details
    assert not details.get("vmware.cpu_hot_add")
    assert not details.get("vmware.memory_hot_add")
    assert (spare.max_vcpus, spare.max_memory_bytes) == (spare.vcpus, spare.memory_bytes)


@pytest.mark.parametrize(
    "wish",
    [
        {"vcpus": 4, "max_vcpus": 2},
        {"memory": "1GiB", "max_memory": "512MiB"},
        {"vcpus": 3, "cpu_topology": CpuTopology(sockets=2, cores=2, threads=1)},
        {"vcpus": 4, "cpu_topology": CpuTopology(sockets=1, cores=2, threads=2)},
        {"memory": (1 << 26) + 1},
        {"max_vcpus": 8, "hints": {"vmware.cpu_hot_add": False}},
        {"hints": {"vmware.colour": "red"}},
        {"hints": {"vmware.cpu_shares": "many"}},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(center: Running, spare: Domain, wish: dict[str, Any]) -> None:
    def ask() -> None:
        with pytest.raises(errors.InvalidSpecError):
            spare.reconfigure(**wish)

    assert "ReconfigVM_Task" not in domain_calls(center, ask)


def test_shares_and_limits_change_while_it_runs(raw: Raw, spare: Domain) -> None:
    raw.reach(spare.native_id, "running")
    applied = spare.reconfigure(hints={"vmware.cpu_shares": 500, "vmware.memory_limit_mib": 512, "xen.other": 1})
    assert applied.live == {"vmware.cpu_shares", "vmware.memory_limit_mib"}
    config = raw.vm(spare.native_id).config
    assert config.cpuAllocation.shares.shares == 500
    assert config.memoryAllocation.limit == 512
    spare.reconfigure(hints={"vmware.memory_limit_mib": 0})
    assert raw.vm(spare.native_id).config.memoryAllocation.limit == -1


def test_a_suspended_domain_keeps_its_hardware(raw: Raw, spare: Domain) -> None:
    raw.reach(spare.native_id, "suspended")
    with pytest.raises(errors.PowerStateError) as failed:
        spare.reconfigure(vcpus=2)
    assert failed.value.state is PowerState.SUSPENDED


def test_what_another_client_changed_meanwhile_is_not_overwritten(center: Running, raw: Raw, spare: Domain) -> None:
    """The change is refused by its version, read again and made on what is there then."""
    center.fault("ReconfigVM_Task:task-error=ConcurrentAccess:1")
    spare.reconfigure(vcpus=2)
    assert spare.refresh().vcpus == 2
    assert center.counts()["ReconfigVM_Task"] >= 2


def test_on_a_host_by_itself_too(esxi: Running) -> None:
    raw = Raw(esxi)
    try:
        with connect(esxi) as host:
            spare = host.domain(raw.make_vm("reconfigured"))
            spare.reconfigure(vcpus=2, memory="128MiB")
            assert (spare.vcpus, spare.memory_bytes) == (2, 128 << 20)
            raw.remove_vm(spare.native_id)
    finally:
        raw.close()
