"""vCPUs and memory of domains that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk import errors
from hvsdk_simulators import Running
from hyperv_support import connect, requests_of


@pytest.fixture
def domain(place: tuple[Running, hvsdk.Host]) -> Iterator[hvsdk.Domain]:
    server, host = place
    domain = host.create_domain(hvsdk.DomainSpec(name="size", memory="64MiB", firmware="uefi"))
    yield domain
    server.act("state", vm=domain.native_id, state="Off")
    domain.refresh().delete(disks="delete")


def test_both_change_in_one_exchange(place: tuple[Running, hvsdk.Host], domain: hvsdk.Domain) -> None:
    applied = []
    count = requests_of(place[0], lambda: applied.append(domain.reconfigure(vcpus=3, memory="128MiB")))
    assert applied[0].live == {"vcpus", "memory"}
    assert (domain.vcpus, domain.memory_bytes) == (3, 128 << 20)
    assert sum(count.values()) <= 4


def test_memory_grows_while_it_runs_and_vcpus_do_not(domain: hvsdk.Domain) -> None:
    domain.start()
    assert domain.reconfigure(memory="256MiB").live == {"memory"}
    assert domain.memory_bytes == 256 << 20
    with pytest.raises(errors.PowerStateError, match="processors"):
        domain.reconfigure(vcpus=2, memory="512MiB")
    assert domain.refresh().memory_bytes == 256 << 20


def test_bounds_make_memory_dynamic_and_are_widened_while_it_runs(domain: hvsdk.Domain) -> None:
    domain.reconfigure(hints={"hyperv.memory_minimum": 64 << 20, "hyperv.memory_maximum": 128 << 20})
    assert domain.details["hyperv.dynamic_memory"] is True
    domain.start()
    domain.reconfigure(hints={"hyperv.memory_maximum": 256 << 20})
    assert domain.max_memory_bytes == 256 << 20
    with pytest.raises(errors.PowerStateError, match="widened"):
        domain.reconfigure(hints={"hyperv.memory_maximum": 128 << 20})


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory": 65 << 20},
        {"memory": "1MiB"},
        {"max_vcpus": 4},
        {"max_memory": "1GiB"},
        {"cpu_topology": hvsdk.CpuTopology(sockets=1, cores=1)},
        {"hints": {"hyperv.memory_minimum": 128 << 20}},
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused(domain: hvsdk.Domain, wrong: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidSpecError):
        domain.reconfigure(**wrong)
    assert (domain.refresh().vcpus, domain.memory_bytes) == (1, 64 << 20)


def test_what_the_host_refuses_half_way_is_taken_back(domain: hvsdk.Domain) -> None:
    with pytest.raises(errors.InvalidSpecError):
        domain.reconfigure(vcpus=4096, memory="128MiB")
    assert (domain.refresh().vcpus, domain.memory_bytes) == (1, 64 << 20)


def test_an_older_host_changes_nothing_that_runs(make_server: Callable[..., Running]) -> None:
    with connect(make_server(version=2012)) as host:
        domain = host.create_domain(hvsdk.DomainSpec(name="old", memory="64MiB"))
        domain.start()
        assert domain.why_not("reconfigure_running")
        with pytest.raises(errors.PowerStateError):
            domain.reconfigure(memory="128MiB")
