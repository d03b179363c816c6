"""The kit against a daemon, seen through a proxy that counts the calls: round trips, lost connections, other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvsdk
import libvirt
import pytest
from hvsdk.testing import BackendConformance
from hvsdk_testbed.libvirtd import PrivateLibvirtd, pool_xml
from kit_support import Guests, LettingGo
from rpc_proxy import PROCS_DOMAIN_CREATE, RpcProxy


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def daemons(shared: Path) -> Iterator[tuple[PrivateLibvirtd, PrivateLibvirtd]]:
    """Two daemons that can migrate to each other, with a storage pool on one directory."""
    with PrivateLibvirtd(hostname="hv-a") as here, PrivateLibvirtd(hostname="hv-b", beside=here) as there:
        for daemon in (here, there):
            with hvsdk.connect(daemon.uri) as host:
                own = host.native().storagePoolLookupByName("default")
                own.destroy()
                own.undefine()
                host.native().storagePoolCreateXML(pool_xml("default", shared))
                host.native().networkLookupByName("default").create()
        yield here, there


EACH_TIME = frozenset(
    (
        "test_a_verb_costs_a_call_and_a_few_looks_at_most",
        "test_attributes_cost_nothing",
        "test_finding_costs_the_same_however_many_domains",
        "test_figures_cost_the_same_however_many_domains",
        "test_listing_costs_the_same_however_many_domains",
        "test_a_read_survives_a_lost_connection",
        "test_a_change_whose_answer_was_lost_is_not_repeated",
        "test_a_round_trip_in_one_process_is_equal",
        "test_another_process_sees_the_same_domain",
        "test_a_moved_domain_is_there_and_not_here",
        "test_a_suspended_domain_is_not_moved",
        "test_a_cold_move_needs_a_domain_that_is_off",
        "test_known_failures_are_tests_of_the_kit",
    )
)
"""What a driver in this process cannot show."""


class TestDaemon(LettingGo, BackendConformance):
    """What differs from the driver in this process is checked each time, the rest by `make test-full`."""

    vendor_errors = (libvirt.libvirtError,)
    round_trips_beside_a_call = 2  # libvirt looks a domain up first, and start asks for saved memory

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return name not in EACH_TIME

    @pytest.fixture
    def proxy(self, daemons: tuple[PrivateLibvirtd, PrivateLibvirtd]) -> Iterator[RpcProxy]:
        with RpcProxy(daemons[0].socket_path) as proxy:
            yield proxy

    @pytest.fixture
    def host(self, proxy: RpcProxy) -> hvsdk.Host:
        return hvsdk.connect(proxy.uri, virt_type="qemu")

    @pytest.fixture
    def second_host(self, daemons: tuple[PrivateLibvirtd, PrivateLibvirtd]) -> Iterator[hvsdk.Host]:
        with hvsdk.connect(daemons[1].uri, virt_type="qemu", migrate_unsafe=True) as host:
            yield host

    @pytest.fixture
    def guests(self, tmp_path: Path, shared: Path) -> Guests:
        return Guests(tmp_path, shared)

    @pytest.fixture
    def patience(self) -> float:
        return 20.0

    @pytest.fixture
    def guest_obeys(self) -> bool:
        return True

    @pytest.fixture
    def boot_id(self, guests: Guests) -> Callable[[hvsdk.Domain], object]:
        return guests.boots

    @pytest.fixture
    def round_trips(self, proxy: RpcProxy) -> Callable[[], int]:
        return lambda: proxy.calls

    @pytest.fixture
    def lose_connection(self, request: pytest.FixtureRequest, proxy: RpcProxy) -> Callable[[str], None]:
        if "test_a_change_" in request.node.name:  # the test starts a domain, and what is read before does not count
            return lambda when: proxy.lose(when, PROCS_DOMAIN_CREATE)
        return proxy.lose

    @pytest.fixture
    def connect_readonly(self, proxy: RpcProxy, domain: hvsdk.Domain) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def connect(**more: Any) -> hvsdk.Host:
            hosts.append(hvsdk.connect(proxy.uri, readonly=True, **more))
            return hosts[-1]

        yield connect
        for host in hosts:
            host.close()
