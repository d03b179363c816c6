"""Moves: to another folder, to another node of the cluster, to another host; and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk import PowerState, errors
from hvsdk.driver import Capability
from hvsdk_simulators import Running
from hyperv_disks import path_of, peek, poke, spare_domain
from hyperv_support import connect

OTHER = "D:\\Other disks"


@pytest.fixture
def spare(host: hvsdk.Host) -> Iterator[hvsdk.Domain]:
    yield from spare_domain(host)


@pytest.fixture
def second(server: Running, make_server: Callable[..., Running]) -> Running:
    """Another host, which the first one knows."""
    other = make_server(domains=0)
    other.act("name", node="HV-9")
    server.act("peer", node="HV-9", control=other.control)
    return other


@pytest.mark.parametrize("runs", [False, True])
def test_disks_move_to_another_folder(server: Running, spare: hvsdk.Domain, runs: bool) -> None:
    server.act("file", path=f"{OTHER}\\there")
    poke(server, path_of(spare), b"content")
    if runs:
        spare.start()
    moved = spare.migrate(pool=OTHER)
    assert moved.native_id == spare.native_id
    assert path_of(spare).rpartition("\\")[0] == OTHER
    assert peek(server, path_of(spare)) == b"content"
    assert spare.refresh().power_state is (PowerState.RUNNING if runs else PowerState.SHUTOFF)


def test_snapshots_stand_in_the_way_of_moving_disks(server: Running, spare: hvsdk.Domain) -> None:
    server.act("file", path=f"{OTHER}\\there")
    spare.create_snapshot("first")
    before = path_of(spare)
    with pytest.raises(errors.UnsupportedError, match="snapshots"):
        spare.migrate(pool=OTHER)
    assert path_of(spare) == before


def test_no_folder_is_no_place(spare: hvsdk.Domain) -> None:
    with pytest.raises(errors.UnsupportedError, match="no folder"):
        spare.migrate(pool="D:\\nowhere $(x)")


def test_a_host_alone_has_no_nodes_to_move_to(host: hvsdk.Host, spare: hvsdk.Domain) -> None:
    assert "cluster" in str(host.why_not(Capability.MIGRATE_NODE))
    with pytest.raises(errors.UnsupportedError):
        spare.migrate(node="hv-2")


@pytest.mark.parametrize("runs", [False, True])
def test_a_domain_moves_to_another_host_with_its_disks(
    server: Running, host: hvsdk.Host, second: Running, runs: bool
) -> None:
    with connect(second) as there:
        for spare in spare_domain(host, "traveller"):
            poke(server, path_of(spare), b"content")
            if runs:
                spare.start()
            moved = spare.migrate(there)
            assert (moved.host, moved.native_id, moved.uuid) == (there, spare.native_id, spare.uuid)
            assert moved.power_state is (PowerState.RUNNING if runs else PowerState.SHUTOFF)
            assert peek(second, path_of(moved)) == b"content"
            with pytest.raises(errors.DomainNotFoundError):
                host.domain(spare.native_id)
            back = connect(server)
            second.act("peer", node="HV-1", control=server.control)
            moved.migrate(back)
            back.close()


def test_what_both_hosts_say_against_a_move_is_told_before_it_begins(
    server: Running, second: Running, spare: hvsdk.Domain
) -> None:
    with connect(second) as there:
        server.act("moves", node="HV-9", problems=["The processors differ.", "No switch 'lan' there."])
        with pytest.raises(errors.UnsupportedError, match=r"processors differ.*No switch"):
            spare.migrate(there)
        server.act("moves", node="HV-9", denied=True)
        with pytest.raises(errors.UnsupportedError, match="CredSSP"):
            spare.migrate(there)
        server.act("moves", node="HV-9")
    assert spare.refresh().power_state is PowerState.SHUTOFF


@pytest.mark.parametrize("runs", [False, True])
def test_a_domain_that_moved_to_another_node_is_followed_there(make_server: Callable[..., Running], runs: bool) -> None:
    server = make_server(nodes=2, domains=4)
    server.act("moves", node="HV-2")
    with connect(server) as host:
        for spare in spare_domain(host):
            if runs:
                spare.start()
            other = next(node for node in host.nodes() if node.name != spare.refresh().node)
            moved = spare.migrate(node=other)
            assert (moved.native_id, moved.node) == (spare.native_id, other.name)
            spare.refresh()
            if not runs:
                spare.start()
            assert spare.refresh().power_state is PowerState.RUNNING
            spare.power_off()
            with pytest.raises(errors.UnsupportedError, match="no-such-node"):
                spare.migrate(node="no-such-node")
