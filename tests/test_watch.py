"""Connections, errors and the end of a `Watch`."""

import gc
import itertools
import threading

import pytest
from watch_world import SOON, K, S, Source, World, info, push_fixture, told, waited, watching_fixture  # noqa: F401  # fixtures

from hvsdk import errors
from hvsdk._watch import Watch
from hvsdk._watch_feed import backoff


def test_a_lost_connection_is_told_once_then_the_difference(watching, push):
    world = World(info("1"), info("2"), info("3"))
    watch = watching(world, push=push)
    world.drop(down=True)
    assert told(watch, 1) == [(K.HOST_LOST, None)]
    world.remove("2")
    world.put(info("1", S.PAUSED))
    world.put(info("4"))
    assert waited(lambda: world.counts["reconnect"] >= 3)
    world.up()
    assert told(watch, 4) == [(K.HOST_BACK, None), (K.REMOVED, "2"), (K.PAUSED, "1"), (K.DEFINED, "4")]


def test_a_host_that_does_not_answer_is_lost(watching, push):
    world = World(info("1"))
    watch = watching(world, push=push)
    world.fail(errors.OperationTimeoutError("frozen"))
    assert watch.get(timeout=SOON).kind == K.HOST_LOST
    world.fail(None)
    assert watch.get(timeout=SOON).kind == K.HOST_BACK


def test_an_expired_session_is_renewed_without_a_word(watching, push):
    world = World(info("1"))
    watch = watching(world, push=push)
    source = watch._feed._source
    ask = "changes" if push else "listing"

    def expired(*args):
        delattr(source, ask)
        world.put(info("1", S.PAUSED))
        raise errors.SessionExpiredError("unknown session")

    setattr(source, ask, expired)
    world.put(info("2"))
    events = {watch.get(timeout=SOON).kind for _ in range(2)}
    assert events == {K.DEFINED, K.PAUSED}
    assert watch.get(timeout=0.05) is None
    assert world.counts["reconnect"] == 1


def test_lost_changes_are_made_up_by_a_listing(watching):
    world = World(info("1"))
    watch = watching(world)
    with world.changed:
        world.domains["2"] = info("2")
        world.forget()
    assert told(watch, 1) == [(K.DEFINED, "2")]
    assert world.counts["subscribe"] == 2
    assert world.counts["listing"] == 2


def test_pushing_lists_once(watching):
    world = World(info("1"))
    watch = watching(world)
    for state in (S.PAUSED, S.RUNNING, S.SHUTOFF):
        world.put(info("1", state))
        watch.get(timeout=SOON)
    assert (world.counts["subscribe"], world.counts["listing"]) == (1, 1)


@pytest.mark.parametrize(
    "error",
    [
        errors.PermissionDeniedError("role"),
        errors.AuthenticationError("expired"),
        errors.CertificateError("other"),
        ZeroDivisionError("a bug"),
    ],
)
def test_what_waiting_does_not_mend_is_raised_to_the_reader(watching, push, error):
    world = World(info("1"))
    watch = watching(world, push=push)
    world.put(info("1", S.PAUSED))
    assert watch.get(timeout=SOON).kind == K.PAUSED
    world.fail(error)
    with pytest.raises(type(error)):
        watch.get(timeout=SOON)
    with pytest.raises(type(error)):
        next(iter(watch))
    assert waited(lambda: world.counts["close"] == 1)


def test_a_refused_login_is_not_tried_again(watching, push):
    world = World(info("1"))
    watch = watching(world, push=push)

    def refused():
        world.counts["reconnect"] += 1
        raise errors.AuthenticationError("expired")

    watch._feed._source.reconnect = refused
    world.drop()
    assert watch.get(timeout=SOON).kind == K.HOST_LOST
    with pytest.raises(errors.AuthenticationError):
        watch.get(timeout=SOON)
    assert world.counts["reconnect"] == 1


def test_a_first_listing_that_fails_is_raised_at_once():
    world = World()
    world.fail(errors.PermissionDeniedError("role"))
    with pytest.raises(errors.PermissionDeniedError):
        Watch(Source(world))
    assert world.counts["close"] == 1


def test_closing_wakes_whoever_waits(watching, push):
    world = World(info("1"))
    watch = watching(world, push=push)
    seen = []
    readers = [threading.Thread(target=lambda: seen.append(watch.get())) for _ in range(2)]
    readers.append(threading.Thread(target=lambda: seen.append(list(watch))))
    for reader in readers:
        reader.start()
    watch.close()
    watch.close()
    for reader in readers:
        reader.join(SOON)
        assert not reader.is_alive()
    assert sorted(map(str, seen)) == ["None", "None", "[]"]
    assert watch.closed
    assert watch.get() is None
    world.put(info("1", S.PAUSED))
    assert waited(lambda: world.counts["close"] == 1)


def test_a_closed_host_ends_the_watch_without_an_error(watching, push):
    world = World(info("1"))
    watch = watching(world, push=push)
    watch._feed._source.closed = True
    world.fail(errors.HostClosedError("closed"))
    assert list(watch) == []
    assert watch.get() is None


def test_a_watch_that_nobody_holds_closes_itself(push):
    world = World(info("1"))
    watch = Watch(Source(world, push=push), interval=0.005)
    del watch
    gc.collect()
    world.put(info("1", S.PAUSED))
    assert waited(lambda: world.counts["close"] == 1)


def test_a_with_block_closes_it(watching):
    with watching(World()) as watch:
        assert repr(watch) == "<Watch 'memory://'>"
    assert repr(watch) == "<Watch 'memory://' closed>"
    with pytest.raises(StopIteration):
        next(watch)


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_that_is_none_is_refused(interval):
    with pytest.raises(ValueError, match="interval"):
        Watch(Source(World()), interval=interval)


def test_pauses_double_up_to_a_limit_with_jitter():
    pauses = list(itertools.islice(backoff(), 12))
    tops = [min(30.0, 0.2 * 2**number) for number in range(12)]
    assert all(top / 2 <= pause <= top for pause, top in zip(pauses, tops, strict=True))
