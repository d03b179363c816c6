"""vCPUs and memory: off, running, and what is refused before anything changes."""

from __future__ import annotations

import pytest
from hvsdk.driver import Applied, CpuTopology, errors
from xen_making import GIB, MIB, calls, record_of
from xen_support import eventually

from hvsdk_xen._reconfigure import _Balloon, _Sizes


def sizes(raw, domain):
    vm = record_of(raw, domain)
    names = ("VCPUs_at_startup", "VCPUs_max", "memory_dynamic_min", "memory_dynamic_max", "memory_static_max")
    return tuple(int(vm[name]) for name in names)


@pytest.fixture
def run(domain, reach, raw):
    """Starts the domain, and waits until its tools run."""

    def start():
        reach("running")
        assert eventually(lambda: "changing_VCPUs_live" in record_of(raw, domain)["allowed_operations"])
        return domain.refresh()

    return start


def test_a_domain_that_is_off_grows_and_shrinks(domain, raw):
    for vcpus, memory in ((4, 512 * MIB), (2, 256 * MIB)):
        applied = domain.reconfigure(vcpus=vcpus, memory=memory)
        assert applied.live == {"vcpus", "memory"}
        assert (domain.vcpus, domain.memory_bytes) == (vcpus, memory)
        assert sizes(raw, domain)[2:] == (memory, memory, memory)


def test_the_maximum_goes_down_after_the_number(domain, raw):
    domain.reconfigure(vcpus=4, max_vcpus=8)
    domain.reconfigure(vcpus=1, max_vcpus=1)
    assert sizes(raw, domain)[:2] == (1, 1)
    domain.reconfigure(vcpus=6, max_vcpus=6)
    assert sizes(raw, domain)[:2] == (6, 6)


def test_memory_keeps_its_room_above(domain, raw):
    domain.reconfigure(memory="128MiB", max_memory="1GiB")
    domain.reconfigure(memory="256MiB")
    assert sizes(raw, domain)[3:] == (256 * MIB, 1024 * MIB)


def test_memory_limits_are_one_call(domain, pool):
    counts = calls(pool, lambda: domain.reconfigure(memory="512MiB"))
    assert counts["VM.set_memory_limits"] == 1
    assert [name for name in counts if name.startswith("VM.set_")] == ["VM.set_memory_limits"]


def test_what_is_as_it_was_is_not_written(domain, pool):
    counts = calls(pool, lambda: domain.reconfigure(vcpus=domain.vcpus, memory=domain.memory_bytes))
    assert not [name for name in counts if name.startswith("VM.set_")]


def test_topology_and_weight_are_written(domain, raw):
    domain.reconfigure(vcpus=4, max_vcpus=4, cpu_topology=CpuTopology(sockets=2, cores=2), hints={"xen.cpu_weight": 99})
    vm = record_of(raw, domain)
    assert vm["platform"]["cores-per-socket"] == "2"
    assert vm["platform"]["acpi"] == "1", "the rest stays"
    assert vm["VCPUs_params"]["weight"] == "99"


@pytest.mark.parametrize(
    "wish",
    [
        {"vcpus": 4, "max_vcpus": 2},
        {"memory": "512MiB", "max_memory": "256MiB"},
        {"cpu_topology": CpuTopology(sockets=4, cores=4)},
        {"hints": {"xen.no_such": 1}},
        {"hints": {"xen.memory_dynamic_min": 1 << 40}},
    ],
    ids=str,
)
def test_what_does_not_fit_changes_nothing(domain, raw, wish):
    before = record_of(raw, domain)
    with pytest.raises(errors.InvalidSpecError):
        domain.reconfigure(**wish)
    assert record_of(raw, domain) == before


def test_vcpus_that_do_not_fill_their_sockets_are_refused(domain):
    domain.reconfigure(vcpus=4, max_vcpus=4, cpu_topology=CpuTopology(sockets=2, cores=2))
    with pytest.raises(errors.InvalidSpecError, match="sockets"):
        domain.reconfigure(vcpus=5)


def test_a_refused_step_takes_the_others_back(domain, pool, raw):
    before = sizes(raw, domain)
    pool.fault("VM.set_memory_limits:error=INTERNAL_ERROR,broken:1")
    with pytest.raises(errors.OperationFailedError):
        domain.reconfigure(vcpus=4, memory="512MiB")
    assert sizes(raw, domain) == before


def test_vcpus_are_plugged_into_a_running_domain(domain, run, raw):
    domain.reconfigure(vcpus=1, max_vcpus=4)
    run()
    applied = domain.reconfigure(vcpus=3)
    assert applied.live == {"vcpus"}
    assert sizes(raw, domain)[0] == 3


def test_fewer_vcpus_wait_for_the_next_boot(domain, run, raw):
    domain.reconfigure(vcpus=3, max_vcpus=4)
    run()
    applied = domain.reconfigure(vcpus=2)
    assert (applied.live, applied.next_boot) == (frozenset(), {"vcpus"})
    assert sizes(raw, domain)[0] == 2
    assert domain.reconfigure(vcpus=2).next_boot == {"vcpus"}, "it still waits"


def test_a_maximum_that_stays_is_in_effect(domain, run):
    domain.reconfigure(vcpus=1, max_vcpus=4)
    run()
    assert domain.reconfigure(vcpus=2, max_vcpus=4).live == {"vcpus", "max_vcpus"}


def test_memory_of_a_running_domain_changes_within_its_maximum(domain, run, raw):
    domain.reconfigure(memory="128MiB", max_memory="512MiB")
    run()
    applied = domain.reconfigure(memory="256MiB")
    assert applied.live | applied.next_boot == {"memory"}
    assert sizes(raw, domain)[3] == 256 * MIB


@pytest.mark.parametrize(
    ("missed", "reached"), [(0, True), (-4096, True), (4096, True), (-2 * MIB, False), (2 * MIB, False)]
)
def test_a_guest_that_misses_its_target_by_some_pages_has_reached_it(missed, reached):
    sizes = _Sizes(vcpus=1, max_vcpus=1, static_min=0, static_max=GIB, dynamic_min=GIB, dynamic_max=GIB)
    done, _, applied = _Balloon(lambda: GIB + missed, sizes, Applied(live=frozenset({"memory"}))).poll()
    assert done is reached
    assert applied == (Applied(live=frozenset({"memory"})) if reached else None)


@pytest.mark.parametrize("state", ["running", "paused"])
@pytest.mark.parametrize(
    "wish",
    [{"vcpus": 16}, {"max_vcpus": 16}, {"memory": "4GiB"}, {"max_memory": "4GiB"}],
    ids=str,
)
def test_what_needs_a_domain_that_is_off_changes_nothing(domain, reach, raw, state, wish):
    reach(state)
    before = sizes(raw, domain)
    with pytest.raises(errors.PowerStateError):
        domain.reconfigure(**wish)
    assert sizes(raw, domain) == before


def test_a_suspended_domain_is_not_changed(domain, reach, raw):
    reach("suspended")
    before = sizes(raw, domain)
    with pytest.raises(errors.PowerStateError):
        domain.reconfigure(vcpus=2)
    assert sizes(raw, domain) == before
