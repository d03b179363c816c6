"""Moves: to another folder, to another node of the cluster, to another host; and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import hvsdk
import pytest
from hvsdk import PowerState, errors
from hvsdk.driver import Capability
from hvsdk_simulators import Running
from hvsdk_simulators.hyperv.cmdlets import registry
from hyperv_disks import path_of, peek, poke, spare_domain
from hyperv_engines import FOLDER, OFF, RUNNING, Engine
from hyperv_support import connect, powershell

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
        disks = [hvsdk.DiskSpec(size="64MiB")]
        spare = host.create_domain(hvsdk.DomainSpec(name="spare", vcpus=1, memory="512MiB", disks=disks))
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
        with pytest.raises(errors.UnsupportedError, match="HV-2"):  # the same path is another file here
            spare.delete(disks="delete")
        spare.delete(disks="keep")


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_what_shares_a_role_is_neither_moved_nor_removed_with_another(tmp_path: Path, engine: str) -> None:
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path, nodes=2) as host:
        one, other = host.world.vms[UUID(OFF)], host.world.vms[UUID(RUNNING)]
        one.clustered = other.clustered = True
        host.world.facts["groups"] = {other.id: one.id}
        for operation, more in (("migrate.move", {"node": "HV-2", "live": False}), ("delete.run", {"disks": "keep"})):
            answer = host.ask(operation, {"id": OFF, **more})
            assert answer["error"]["kind"] == "Unsupported"
            assert other.hardware.name in answer["error"]["message"]
        assert (other.clustered, one.id in host.world.vms) == (True, True)
        host.world.facts["groups"] = {}
        assert "result" in host.ask("delete.run", {"id": OFF, "disks": "keep"})
        assert (other.clustered, one.id in host.world.vms) == (True, False)


def test_two_disks_of_one_name_do_not_move_into_one_folder(tmp_path: Path) -> None:
    with Engine("python", tmp_path) as host:
        vm = host.world.vms[UUID(OFF)]
        path = "D:\\" + vm.hardware.drives[0].path.rpartition("\\")[2]
        registry.run(host.world, "New-VHD", {"Path": [path], "SizeBytes": 8 << 20, "Dynamic": True})
        record = registry.run(host.world, "Get-VM", {"Id": vm.id})
        registry.run(host.world, "Add-VMHardDiskDrive", {"VM": record, "Path": path})
        answer = host.ask("migrate.check", {"id": OFF, "node": None, "pool": "C:\\Windows", "live": False})
        assert "cannot hold both" in answer["result"]


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_files_that_only_another_node_reaches_are_left_to_it(tmp_path: Path, engine: str) -> None:
    """The same path is another file on this node."""
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path, nodes=2) as host:
        vm = host.world.vms[UUID(OFF)]
        vm.node = "HV-2"
        path = vm.hardware.drives[0].path
        disk = {"device": "disk", "bus": "scsi", "names": ["1.vhdx"], "source_pool": FOLDER, "copy": False}
        for operation, more in (
            ("delete.run", {"disks": "delete"}),
            ("disks.resize", {"disk": "ide:0:0", "size": 1 << 30}),
            ("disks.attach", {"wish": disk}),
            ("disks.attach", {"wish": {**disk, "names": None, "format": "vhdx", "size": 8 << 20, "token": "a"}}),
            ("clone.make", {"name": "copy", "linked": True, "notes": ""}),
        ):
            answer = host.ask(operation, {"id": OFF, **more})
            assert answer["error"]["kind"] == "Unsupported", operation
            assert "HV-2" in answer["error"]["message"]
        assert (tmp_path / str(path)).exists()
        assert len(list(tmp_path.iterdir())) == 2
        assert vm.hardware.drives[0].path == path
