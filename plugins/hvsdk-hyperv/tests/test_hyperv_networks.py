"""Virtual switches, and the physical machines."""

from __future__ import annotations

from collections.abc import Callable

import hvsdk
from hvsdk_simulators import Running
from hyperv_support import connect, opened, requests_of, soon

ODD = ["it's", "$(x)", "[x]*", "“‘", "日本 🙂", "two\nlines"]


def test_switches_are_networks(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    made = server.act("switch", called="Out", adapter="Ethernet 9")
    try:
        network = next(one for one in host.networks() if one.name == "Out")
        assert network.id == made
        assert network.details["hyperv.type"] == "External"
        assert network.details["hyperv.interface"] == "Ethernet 9"
    finally:
        server.act("switch", remove=made)


def test_odd_names_of_switches_come_whole(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    made = [server.act("switch", called=name) for name in ODD]
    try:
        assert set(ODD) <= {one.name for one in host.networks()}
    finally:
        for switch in made:
            server.act("switch", remove=switch)


def test_networks_and_nodes_are_two_requests_each(server: Running) -> None:
    with opened(server) as driver:
        for work in (driver.list_networks, driver.list_nodes):
            counts = requests_of(server, lambda work=work: work(deadline=soon()))  # type: ignore[misc]
            assert sum(counts.values()) == 2, counts


def test_a_host_alone_is_its_only_node(place: tuple[Running, hvsdk.Host]) -> None:
    _, host = place
    (node,) = host.nodes()
    assert {one.node for one in host.domains()} == {node.name}
    assert (node.state, node.name) == ("up", node.name.lower())
    assert node.cpus
    assert node.memory_bytes
    assert "hyperv.cluster" not in node.details


def test_the_nodes_of_a_cluster_are_listed(make_server: Callable[..., Running]) -> None:
    with connect(make_server(nodes=3)) as host:
        nodes = host.nodes()
    assert [one.name for one in nodes] == ["hv-1", "hv-2", "hv-3"]
    assert all(one.state == "up" for one in nodes)
    assert [bool(one.cpus) for one in nodes] == [True, False, False]


def test_domains_of_all_nodes_are_listed(make_server: Callable[..., Running]) -> None:
    told = []
    for engine in ("python", "powershell"):
        with connect(make_server(nodes=2, domains=4, engine=engine)) as host:
            domains = host.domains(full=True)
            assert {one.node for one in domains} == {"hv-1", "hv-2"}
            assert all(one.details["hyperv.clustered"] for one in domains)
            told.append([(one.node, one.name) for one in domains])
    assert told[0] == told[1]
