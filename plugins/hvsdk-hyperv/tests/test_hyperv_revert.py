"""Going back to a snapshot: what is written on the domain stays, and no other snapshot is lost."""

from __future__ import annotations

from collections.abc import Iterator

import hvsdk
import pytest
from hvsdk import PowerState, errors
from hvsdk_simulators import Running
from hyperv_disks import path_of, peek, poke, spare_domain
from hyperv_support import finished, opened, soon


@pytest.fixture
def spare(host: hvsdk.Host) -> Iterator[hvsdk.Domain]:
    yield from spare_domain(host)


@pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED])
def test_a_snapshot_without_memory_leaves_it_off(server: Running, spare: hvsdk.Domain, state: PowerState) -> None:
    poke(server, path_of(spare), b"before")
    snapshot = spare.create_snapshot("first")
    poke(server, path_of(spare), b"after")
    if state is not PowerState.SHUTOFF:
        spare.start()
    if state is PowerState.PAUSED:
        spare.pause()
    if state is PowerState.SUSPENDED:
        spare.suspend()
    snapshot.revert()
    assert spare.refresh().power_state is PowerState.SHUTOFF
    assert peek(server, path_of(spare)) == b"before"


@pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING, PowerState.SUSPENDED])
def test_a_snapshot_with_memory_runs_on(server: Running, spare: hvsdk.Domain, state: PowerState) -> None:
    spare.start()
    snapshot = spare.create_snapshot("memory", memory=True)
    if state is PowerState.SHUTOFF:
        spare.power_off()
    if state is PowerState.SUSPENDED:
        spare.suspend()
    snapshot.revert()
    assert spare.refresh().power_state is PowerState.RUNNING


def test_the_script_itself_keeps_name_notes_and_kind_of_checkpoints(server: Running, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("first", description="a text in its notes")
    spare.rename("renamed [x]* $(y)")
    spare.set_notes("new")
    server.act("checkpoint-type", vm=spare.native_id, type="ProductionOnly")
    with opened(server) as driver:
        finished(driver.revert_snapshot(spare.native_id, snapshot.id, deadline=soon()))
    info = spare.refresh().info
    assert (info.name, info.notes) == ("renamed [x]* $(y)", "new")
    assert info.details["hyperv.checkpoint_type"] == "ProductionOnly"


def test_no_other_snapshot_is_lost(server: Running, spare: hvsdk.Domain) -> None:
    made = {}
    for name in ("one", "two", "three"):
        poke(server, path_of(spare), name.encode())
        made[name] = spare.create_snapshot(name)
    for name in ("one", "three", "two"):
        made[name].revert()
        assert peek(server, path_of(spare)) == name.encode()
        assert [one.name for one in spare.snapshots() if one.is_current] == [name]
    assert {one.name for one in spare.snapshots()} == set(made)


def test_a_snapshot_of_another_domain_is_none_of_this_one(
    server: Running, host: hvsdk.Host, spare: hvsdk.Domain
) -> None:
    snapshot = spare.create_snapshot("first")
    for other in spare_domain(host, "other"):
        with opened(server) as driver, pytest.raises(Exception, match="no snapshot"):
            finished(driver.revert_snapshot(other.native_id, snapshot.id, deadline=soon()))
    snapshot.delete()
    with pytest.raises(errors.SnapshotNotFoundError):
        snapshot.revert()
