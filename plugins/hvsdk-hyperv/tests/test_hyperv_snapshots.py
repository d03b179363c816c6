"""Snapshots: the kind that was asked for, by any name, or none; and their disks merged away."""

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
from hyperv_disks import chain_of, path_of, peek, poke, spare_domain
from hyperv_engines import FOLDER, OFF, Engine
from hyperv_support import connect, opened, powershell, requests_of, soon

HOSTILE = [
    "a'b\"c`d$(e)",
    "\u2018look\u2019 \u201calike\u201d \u201a\u201b",
    "[x]* ?",
    "two\nlines",
    "ünï😀",
    "x" * 80,
    "$env:PATH; exit",
    "\\\\..\\",
]
MIB = 1 << 20


@pytest.fixture
def spare(host: hvsdk.Host) -> Iterator[hvsdk.Domain]:
    yield from spare_domain(host)


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_names_and_descriptions_are_kept_as_they_were_given(spare: hvsdk.Domain, name: str) -> None:
    made = spare.create_snapshot(name, description=name)
    (listed,) = spare.snapshots()
    assert (listed.name, listed.info.description) == (name, name)
    assert listed.info == made.info


def test_the_same_on_a_real_powershell(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    for spare in spare_domain(host):
        spare.set_notes("the user's own [text]")
        for name in HOSTILE[:4]:
            spare.create_snapshot(name, description=name)
        assert [(one.name, one.info.description) for one in spare.snapshots()] == [(one, one) for one in HOSTILE[:4]]
        assert spare.refresh().notes == "the user's own [text]"
        first, second, *_ = spare.snapshots()
        poke(server, path_of(spare), b"now")
        second.delete(children=True)
        assert [one.name for one in spare.snapshots()] == [first.name]
        assert len(chain_of(server, path_of(spare))) == 2
        first.revert()
        assert peek(server, path_of(spare)) == b""
        first.delete()
        assert len(chain_of(server, path_of(spare))) == 1


def test_the_machines_own_settings_are_as_they_were(server: Running, spare: hvsdk.Domain) -> None:
    spare.set_notes("mine")
    spare.set_metadata({"team.owner": "ann"})
    kind = spare.refresh().info.details["hyperv.checkpoint_type"]
    spare.create_snapshot("first", description="second")
    info = spare.refresh().info
    assert (info.notes, dict(info.metadata)) == ("mine", {"team.owner": "ann"})
    assert info.details["hyperv.checkpoint_type"] == kind


def test_a_tree_is_listed_in_two_requests(server: Running, spare: hvsdk.Domain) -> None:
    for name in ("one", "two", "three"):
        spare.create_snapshot(name)
    with opened(server) as driver:
        asked = requests_of(server, lambda: driver.list_snapshots(spare.native_id, deadline=soon()))
    assert sum(asked.values()) == 2


def test_two_snapshots_may_have_one_name_and_are_told_apart_by_id(spare: hvsdk.Domain) -> None:
    first, second = spare.create_snapshot("same"), spare.create_snapshot("same")
    with pytest.raises(errors.AmbiguousNameError):
        spare.snapshot("same")
    assert spare.snapshot(second.id).parent == first.id


def test_a_snapshot_with_memory_keeps_the_running_state(spare: hvsdk.Domain) -> None:
    spare.start()
    made = spare.create_snapshot("memory", memory=True)
    assert made.has_memory
    assert made.info.details["hyperv.state"] == "Running"
    assert spare.refresh().power_state is PowerState.RUNNING


def test_a_snapshot_of_the_disks_alone_has_no_memory_though_it_runs(server: Running, spare: hvsdk.Domain) -> None:
    spare.start()
    poke(server, path_of(spare), b"before")
    made = spare.create_snapshot("disks")
    assert made.has_memory is False
    assert spare.refresh().power_state is PowerState.RUNNING
    poke(server, path_of(spare), b"after")
    made.revert()
    assert spare.refresh().power_state is PowerState.SHUTOFF
    assert peek(server, path_of(spare)) == b"before"


def test_a_paused_domain_stays_paused(spare: hvsdk.Domain) -> None:
    spare.start()
    spare.pause()
    assert spare.create_snapshot("disks").has_memory is False
    assert spare.refresh().power_state is PowerState.PAUSED


def test_a_guest_that_does_not_come_to_rest_is_refused_and_nothing_is_made(
    server: Running, spare: hvsdk.Domain
) -> None:
    server.act("guest", vm=spare.native_id, tools=False)
    spare.start()
    before = path_of(spare)
    with pytest.raises(errors.GuestAgentError):
        spare.create_snapshot("quiet", quiesce=True)
    assert (spare.snapshots(), path_of(spare)) == ([], before)


def test_one_that_fails_while_it_is_made_leaves_the_settings_as_they_were(server: Running, spare: hvsdk.Domain) -> None:
    server.act("guest", vm=spare.native_id, tools=True, quiesces=False)
    spare.start()
    kind = spare.refresh().info.details["hyperv.checkpoint_type"]
    with pytest.raises(errors.HvsdkError):
        spare.create_snapshot("quiet", quiesce=True, description="never")
    info = spare.refresh().info
    assert (info.notes, info.details["hyperv.checkpoint_type"]) == ("", kind)
    assert spare.snapshots() == []


def test_where_checkpoints_are_switched_off_none_is_made(
    server: Running, host: hvsdk.Host, spare: hvsdk.Domain
) -> None:
    server.act("checkpoint-type", vm=spare.native_id, type="Disabled")
    with pytest.raises(errors.UnsupportedError, match="switched off"):
        spare.create_snapshot("first")
    with opened(server) as driver, pytest.raises(Exception, match="switched off"):
        driver.create_snapshot(spare.native_id, "first", memory=False, quiesce=False, description="", deadline=soon())
    assert spare.snapshots() == []


def test_a_merge_keeps_what_all_others_hold(server: Running, spare: hvsdk.Domain) -> None:
    made = []
    for text in (b"one", b"two", b"three"):
        poke(server, path_of(spare), text)
        made.append(spare.create_snapshot(text.decode()))
    poke(server, path_of(spare), b"now")
    made[1].delete()
    assert len(chain_of(server, path_of(spare))) == 3
    assert peek(server, path_of(spare)) == b"now"
    made[2].revert()
    assert peek(server, path_of(spare)) == b"three"
    made[0].revert()
    assert peek(server, path_of(spare)) == b"one"
    for snapshot in (made[0], made[2]):
        snapshot.delete()
    assert peek(server, path_of(spare)) == b"one"
    assert len(chain_of(server, path_of(spare))) == 1


def test_a_delete_ends_with_its_merge(make_server: Callable[..., Running]) -> None:
    server = make_server(duration_scale=0.3)
    with connect(server) as host:
        for spare in spare_domain(host):
            snapshot = spare.create_snapshot("first")
            poke(server, path_of(spare), b"now")
            spare.start()
            snapshot.delete()
            assert len(chain_of(server, path_of(spare))) == 1
            assert peek(server, path_of(spare)) == b"now"
            assert spare.refresh().power_state is PowerState.RUNNING


def test_windows_2012_makes_no_quiesced_ones_and_says_so(make_server: Callable[..., Running]) -> None:
    server = make_server(version=2012)
    with connect(server) as host:
        assert "2016" in str(host.why_not(Capability.SNAPSHOT_QUIESCE))
        for spare in spare_domain(host):
            spare.start()
            assert spare.create_snapshot("memory", memory=True).has_memory
            assert spare.create_snapshot("disks").has_memory is False


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_nothing_is_merged_or_dropped_that_a_foreign_disk_lies_on(tmp_path: Path, engine: str) -> None:
    """Nobody but the file itself tells that it lies on the disk of a domain."""
    if engine == "powershell":
        powershell()
    foreign = f"{FOLDER}\\foreign.vhdx"
    with Engine(engine, tmp_path) as host:
        vm = host.world.vms[UUID(OFF)]
        base = vm.hardware.drives[0].path
        for name in ("first", "second"):
            registry.run(
                host.world,
                "Checkpoint-VM",
                {"VM": registry.run(host.world, "Get-VM", {"Id": vm.id}), "SnapshotName": name},
            )
        first, second = (str(one.id) for one in vm.checkpoints)
        leaf = vm.hardware.drives[0].path
        for ground, operation, children in ((base, "delete", False), (base, "delete", True), (leaf, "revert", None)):
            registry.run(host.world, "New-VHD", {"Path": [foreign], "ParentPath": ground, "Differencing": True})
            before = sorted(one.name for one in tmp_path.iterdir())
            answer = host.ask(f"snapshots.{operation}", {"id": OFF, "snapshot": first, "children": children})
            assert answer["error"]["kind"] == "Busy"
            assert foreign in answer["error"]["message"]
            assert sorted(one.name for one in tmp_path.iterdir()) == before
            registry.run(host.world, "Remove-Item", {"LiteralPath": [foreign]})
        assert "result" in host.ask("snapshots.revert", {"id": OFF, "snapshot": second})
        assert "result" in host.ask("snapshots.delete", {"id": OFF, "snapshot": first, "children": True})
        assert vm.hardware.drives[0].path == base
