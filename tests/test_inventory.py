"""The inventory: what is written down of a fleet, and what it then says of then and now."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

import hvsdk
from hvsdk import errors
from hvsdk.testing.fake import control

DEAD = "fake://dead?fault=open:drop-before*999"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inventory.db"


@pytest.fixture
def fleet():
    with hvsdk.Fleet({"a": "fake://a?domains=3&templates=1", "b": "fake://b?domains=2"}) as fleet:
        yield fleet


def kinds(changes):
    return [(one.kind, one.host, one.name) for one in changes]


def down(fleet, *names):
    for name in names:
        control(fleet.host(name)).go_down()


def test_what_is_recorded_is_what_the_hosts_said(fleet, path):
    snapshot = fleet.record(path, full=True)
    assert (snapshot.id, snapshot.domains, snapshot.added, snapshot.answered, snapshot.complete) == (1, 6, 6, 2, True)
    there = fleet.domains(full=True, templates=True)
    now = {(host, one.native_id): one.info for host, one in zip(there.hosts, there, strict=True)}
    found = hvsdk.Inventory.open(path).at()
    assert {(one.host, one.native_id) for one in found} == now.keys()
    for one in found:
        info = now[one.host, one.native_id]
        assert one.info == info.replace(disks=[disk.replace(allocated_bytes=None) for disk in info.disks])
        assert one.info.loaded == info.loaded
        assert not one.stale


def test_nothing_changed_means_an_empty_diff_and_nothing_more_in_the_file(fleet, path):
    fleet.record(path, full=True)
    second = fleet.record(path, full=True)
    assert (second.added, second.changed, second.removed) == (0, 0, 0)
    assert not hvsdk.Inventory.open(path).diff(1, 2)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM domain").fetchone() == (6,)
    connection.close()


def test_two_of_sixty_hosts_down_are_no_change_and_their_domains_are_stale(path):
    hosts = {f"h{number}": f"fake://sixty-{number}?domains=2" for number in range(60)}
    with hvsdk.Fleet(hosts) as fleet:
        fleet.record(path)
        down(fleet, "h7", "h41")
        second = fleet.record(path)
        inventory = hvsdk.Inventory.open(path)
        diff = inventory.diff(1, 2)
        assert not diff
        assert diff.stale_hosts == ("h7", "h41")
        assert [failure.host for failure in second.failures] == ["h7", "h41"]
        found = inventory.at()
        assert len(found) == second.domains == 120
        assert {one.host for one in found if one.stale} == {"h7", "h41"} == set(found.stale_hosts)
        seen = {one.host: one.last_seen for one in found}
        assert seen["h7"] <= inventory.snapshot(1).ended < seen["h8"]


def test_a_domain_is_removed_only_once_its_host_says_so(fleet, path):
    fleet.record(path)
    world = control(fleet.host("b"))
    world.remove("db-1")
    world.go_down()
    assert fleet.record(path).removed == 0
    world.come_back()
    fleet.retry()
    assert fleet.record(path).removed == 1
    inventory = hvsdk.Inventory.open(path)
    assert not inventory.diff(1, 2)
    assert kinds(inventory.diff(2, 3)) == kinds(inventory.diff(1, 3)) == [("removed", "b", "db-1")]
    assert inventory.diff(2, 3).stale_hosts == ("b",)
    assert kinds(inventory.diff(3, 1)) == [("added", "b", "db-1")]


def test_a_host_that_never_answered_before_is_not_compared(path):
    with hvsdk.Fleet({"a": "fake://a?domains=1", "late": "fake://late?domains=2"}) as fleet:
        world = control(fleet.host("late"))
        world.go_down()
        fleet.record(path)
        world.come_back()
        fleet.retry()
        fleet.record(path)
    diff = hvsdk.Inventory.open(path).diff(1, 2)
    assert not diff
    assert diff.unknown_hosts == ("late",)
    assert "not compared" in repr(diff)


def test_a_host_that_left_the_fleet_stays_as_it_was_last_known(fleet, path):
    fleet.record(path)
    with hvsdk.Fleet({"a": "fake://a?domains=3&templates=1"}) as smaller:
        smaller.record(path)
    inventory = hvsdk.Inventory.open(path)
    assert not inventory.diff(1, 2)
    assert [one.stale for one in inventory.at(hosts="b")] == [True, True]


def test_a_host_that_was_left_alone_counts_as_silent(path):
    with hvsdk.Fleet({"dead": DEAD}) as fleet:
        for _ in range(4):
            snapshot = fleet.record(path)
    (outcome,) = hvsdk.Inventory.open(path).outcomes()
    assert (outcome.ok, outcome.kind, outcome.seen_at) == (False, "NotTried", None)
    assert snapshot.failures == (outcome,)
    assert len(hvsdk.Inventory.open(path).at()) == 0


def test_a_change_tells_each_field_before_and_since(fleet, path):
    fleet.record(path)
    web = fleet.host("a").domain("web-1")
    web.power_off()
    web.reconfigure(vcpus=7)
    fleet.record(path)
    (change,) = hvsdk.Inventory.open(path).diff(1, 2).changed
    assert change.fields["power_state"] == (hvsdk.PowerState.RUNNING, hvsdk.PowerState.SHUTOFF)
    assert change.fields["vcpus"][1] == 7
    assert "name" not in change.fields
    assert change.to_dict()["fields"]["power_state"] == {"before": "running", "after": "shutoff"}
    assert "power_state running -> shutoff" in repr(hvsdk.Inventory.open(path).diff(1, 2))


def test_fields_that_were_not_asked_for_one_time_are_no_change(fleet, path):
    fleet.record(path, include=())
    fleet.record(path, full=True)
    fleet.record(path, include=())
    inventory = hvsdk.Inventory.open(path)
    assert not inventory.diff(1, 2)
    assert not inventory.diff(2, 3)
    assert kinds(inventory.history("db-1", host="b")) == [("added", "b", "db-1")]
    with pytest.raises(errors.NotLoadedError):
        inventory.at(1)[0].info.disks  # noqa: B018
    assert inventory.at(2)[0].info.has("config")


def test_a_domain_that_moved_is_one_change_and_its_history_has_both_places(path):
    with hvsdk.Fleet({"a": "fake://a?domains=1", "b": "fake://b?domains=1"}) as fleet:
        uuid = fleet.host("a").domain("web-1").uuid
        fleet.record(path)
        control(fleet.host("a")).remove("web-1")
        control(fleet.host("b")).define("web-1-new", uuid=uuid)
        fleet.record(path)
        moved = fleet.host("b").domain("web-1-new")
        inventory = hvsdk.Inventory.open(path)
        (change,) = inventory.diff(1, 2)
        assert (change.kind, change.from_host, change.host) == ("moved", "a", "b")
        assert change.fields["name"] == ("web-1", "web-1-new")
        swapped = str(UUID(bytes=UUID(uuid).bytes_le))
        for key in (uuid, swapped, UUID(uuid), moved, moved.info, inventory.at(hosts="b")[-1], "web-1-new"):
            assert kinds(inventory.history(key)) == [("added", "a", "web-1"), ("moved", "b", "web-1-new")]
        assert [one.kind for one in inventory.diff(2, 1)] == ["moved"]


def test_history_tells_all_that_became_of_a_domain(fleet, path):
    world = control(fleet.host("b"))
    fleet.record(path)
    world.rename("db-1", "db-one")
    fleet.record(path)
    uuid = fleet.host("b").domain("db-one").uuid
    world.remove("db-one")
    fleet.record(path)
    world.define("db-1", uuid=uuid)
    fleet.record(path)
    inventory = hvsdk.Inventory.open(path)
    told = [(one.kind, one.name) for one in inventory.history(uuid)]
    assert told == [("added", "db-1"), ("changed", "db-one"), ("removed", "db-one"), ("added", "db-1")]
    assert [one.at for one in inventory.history(uuid)] == [one.ended for one in inventory.snapshots()]
    assert inventory.at(1, hosts="b")[0].first_seen == inventory.at(2, hosts="b")[0].first_seen
    with pytest.raises(errors.DomainNotFoundError):
        inventory.history("nonsuch")
    with pytest.raises(errors.InvalidSpecError):
        inventory.history(None)


def test_a_time_names_the_last_snapshot_that_had_ended_by_then(fleet, path):
    first = fleet.record(path)
    second = fleet.record(path)
    inventory = hvsdk.Inventory.open(path)
    assert [inventory.snapshot(when) for when in (first.ended, 1, first)] == [first] * 3
    assert inventory.snapshot(second.ended - timedelta(microseconds=1)) == first
    assert inventory.snapshot(datetime.now(UTC)) == inventory.snapshot() == second
    assert inventory.at(first.ended.astimezone()).snapshot == first
    for nothing in (first.ended - timedelta(days=1), 7):
        with pytest.raises(errors.NotFoundError, match="no snapshot"):
            inventory.at(nothing)


@pytest.mark.parametrize("nonsense", [datetime(2026, 1, 1), True, "yesterday", 1.5])
def test_what_names_no_snapshot_is_refused(fleet, path, nonsense):
    fleet.record(path)
    with pytest.raises(errors.InvalidSpecError):
        hvsdk.Inventory.open(path).at(nonsense)


def test_hosts_are_chosen_by_name_or_pattern(fleet, path):
    fleet.record(path)
    inventory = hvsdk.Inventory.open(path)
    assert len(inventory.at(hosts=["b"])) == 2
    assert len(inventory.at(hosts="[ab]")) == 6
    with pytest.raises(errors.NotFoundError, match="no host 'c'"):
        inventory.at(hosts="c")


def test_strict_writes_nothing_when_a_host_fails(path):
    with hvsdk.Fleet({"a": "fake://a", "dead": DEAD}) as fleet, pytest.raises(ExceptionGroup):
        fleet.record(path, strict=True)
    assert not path.exists()


def test_progress_tells_each_answer_and_only_chosen_hosts_are_asked(fleet, path):
    told = []
    snapshot = fleet.record(
        path, hosts="a", progress=lambda done, total, answer: told.append((done, total, answer.name))
    )
    assert told == [(1, 1, "a")]
    assert (snapshot.answered, snapshot.domains) == (1, 4)


def test_an_executor_asks_the_hosts_too(path):
    with ThreadPoolExecutor(2) as pool, hvsdk.Fleet({"a": "fake://a?domains=2", "dead": DEAD}, executor=pool) as fleet:
        snapshot = fleet.record(path)
    assert (snapshot.domains, snapshot.answered, len(snapshot.failures)) == (2, 1, 1)
    assert hvsdk.Inventory.open(path).at()[0].last_seen <= snapshot.ended


def test_the_file_is_for_its_owner_only(fleet, path):
    old = os.umask(0)
    try:
        fleet.record(path)
        connection = sqlite3.connect(path)
        connection.execute("SELECT count(*) FROM snapshot").fetchone()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        connection.close()
    finally:
        os.umask(old)
    assert set(modes.values()) == {0o600}


def test_several_threads_ask_at_once_while_somebody_records(fleet, path):
    fleet.record(path)
    inventory = hvsdk.Inventory.open(path)
    wrong = []

    def ask():
        try:
            for _ in range(20):
                assert len(inventory.at()) == 6
        except BaseException as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        fleet.record(path)
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(inventory.snapshots()) == 11


def test_it_is_a_context_manager_can_be_pickled_and_says_when_it_was_closed(fleet, path):
    fleet.record(path)
    with hvsdk.Inventory.open(path) as inventory:
        assert len(pickle.loads(pickle.dumps(inventory)).at()) == 6
        assert str(path) in repr(inventory)
    with pytest.raises(errors.InvalidSpecError, match="closed"):
        inventory.at()


def test_lists_print_as_tables_and_neutralise_what_servers_say(fleet, path):
    control(fleet.host("a")).rename("web-1", "\x1b[31m<b>")
    fleet.record(path)
    down(fleet, "b")
    control(fleet.host("a")).rename("db-1", "=evil\x1b")
    fleet.record(path)
    inventory = hvsdk.Inventory.open(path)
    for shown in (inventory.at(), inventory.diff(1, 2), inventory.snapshots(), inventory.history("web-1")):
        assert "\x1b" not in repr(shown)
        assert "<b>" not in shown._repr_html_()
    assert "these hosts did not answer: b" in repr(inventory.at())
    assert "last seen" in repr(inventory.at()).splitlines()[0]
    assert inventory.at().to_dicts()[0].keys() >= {"host", "name", "disks", "first_seen", "last_seen", "stale"}


def test_a_diff_prints_what_a_set_of_tags_has_got_and_lost(fleet, path):
    domain = fleet.host("a").domain("web-1")
    domain.set_tags({"old", "web"})
    fleet.record(path)
    domain.set_tags({"new", "web"})
    fleet.record(path)
    assert "tags +new -old" in repr(hvsdk.Inventory.open(path).diff(1, 2))


def test_old_snapshots_can_be_forgotten_and_those_that_stay_say_the_same(fleet, path):
    world = control(fleet.host("a"))
    fleet.record(path)
    world.remove("app-1")
    fleet.record(path)
    down(fleet, "b")
    world.rename("db-1", "db-x")
    third = fleet.record(path)
    world.rename("db-x", "db-y")
    fourth = fleet.record(path)
    inventory = hvsdk.Inventory.open(path)
    before = [inventory.at(number).to_dicts() for number in (3, 4)], inventory.diff(3, 4).to_dicts()
    assert [one.id for one in inventory.prunable(third.ended)] == [1, 2]
    assert [one.id for one in inventory.prunable(fourth.ended + timedelta(days=1))] == [1, 2, 3]
    assert inventory.prune(third.ended) == 2
    assert ([inventory.at(number).to_dicts() for number in (3, 4)], inventory.diff(3, 4).to_dicts()) == before
    assert [one.id for one in inventory.snapshots()] == [3, 4]
    with pytest.raises(errors.NotFoundError, match="the oldest is 3"):
        inventory.at(2)
    with pytest.raises(errors.DomainNotFoundError):
        inventory.history("app-1")
    assert [one.name for one in inventory.history("db-y")] == ["db-x", "db-y"]
    assert inventory.prune(fourth.ended + timedelta(days=1)) == 1
    assert [one.id for one in inventory.snapshots()] == [4]
    assert fleet.record(path).id == 5
    assert [one.id for one in inventory.prunable(fourth.ended + timedelta(days=1))] == [4]
    for asked in (inventory.prune, inventory.prunable):
        with pytest.raises(errors.InvalidSpecError):
            asked(datetime(2026, 1, 1))
