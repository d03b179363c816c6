"""`Watch` against a small host in memory that really pushes, loses connections and forgets changes."""

import gc
import itertools
import random
import threading
import time
from types import SimpleNamespace

import pytest

from hvsdk import errors
from hvsdk._watch import Event, Watch
from hvsdk._watch_diff import kind_of
from hvsdk._watch_feed import backoff
from hvsdk._watch_queue import EventQueue, folded
from hvsdk.driver import Change
from hvsdk.enums import EventKind, PowerState
from hvsdk.models import DomainInfo

K, S = EventKind, PowerState
HOST = SimpleNamespace(url="memory://")
SOON = 10.0


def info(native_id, state=S.RUNNING, **more):
    values = {"name": f"vm-{native_id}", "uuid": None, "hypervisor": None, "vcpus": 1, "memory_bytes": 2**20}
    return DomainInfo(native_id=native_id, power_state=state, **{**values, **more})


class World:
    """Domains, and a log of what happened to them; `epoch` counts the breaks of its connections."""

    def __init__(self, *infos):
        self.changed = threading.Condition()
        self.domains = {i.native_id: i for i in infos}
        self.log = []
        self.epoch = 0
        self.forgotten = 0
        self.down = False
        self.raises = None
        self.counts = dict.fromkeys(("subscribe", "changes", "listing", "reconnect", "close"), 0)

    def put(self, record, kind=None):
        with self.changed:
            self.domains[record.native_id] = record
            self._tell(Change(native_id=record.native_id, info=record, kind=kind))

    def remove(self, native_id):
        with self.changed:
            if self.domains.pop(native_id, None):
                self._tell(Change(native_id=native_id, info=None))

    def drop(self, *, down=False):
        with self.changed:
            self.epoch += 1
            self.down = down
            self.changed.notify_all()

    def up(self):
        self.down = False

    def forget(self):
        with self.changed:
            self.forgotten = len(self.log) + 1
            self._tell(None)

    def fail(self, error):
        with self.changed:
            self.raises = error
            self.changed.notify_all()

    def _tell(self, change):
        self.log.append(change)
        self.changed.notify_all()

    def shown(self):
        return {key: record for key, record in self.domains.items() if not record.is_template}


class Source:
    """A connection to a `World`: the watch's protocol."""

    host = HOST
    closed = False

    def __init__(self, world, *, push=True):
        self._world = world
        self.can_push = push
        self._epoch = world.epoch

    def subscribe(self):
        with self._called("subscribe") as world:
            return len(world.log)

    def changes(self, token, seconds):
        world = self._world
        with self._called("changes"):
            world.changed.wait_for(lambda: len(world.log) > token or self._broken() or self.closed, seconds)
            self._check()
            end = None if token < world.forgotten <= len(world.log) else len(world.log)
            return [change for change in world.log[token:] if change], end

    def listing(self):
        with self._called("listing") as world:
            return list(world.domains.values())

    def reconnect(self):
        self._world.counts["reconnect"] += 1
        if self._world.down:
            raise errors.ConnectError("refused")
        self._epoch = self._world.epoch

    def handle(self, record):
        return SimpleNamespace(info=record)

    def close(self):
        with self._world.changed:
            self._world.counts["close"] += 1
            self._world.changed.notify_all()

    def _called(self, name):
        self._world.counts[name] += 1
        return _Locked(self)

    def _broken(self):
        return self._world.raises is not None or self._epoch != self._world.epoch

    def _check(self):
        if self._world.raises is not None:
            raise self._world.raises
        if self._epoch != self._world.epoch:
            raise errors.ConnectionLostError("gone")


class _Locked:
    def __init__(self, source):
        self._source = source

    def __enter__(self):
        self._source._world.changed.acquire()
        try:
            self._source._check()
        except BaseException:
            self._source._world.changed.release()
            raise
        return self._source._world

    def __exit__(self, *exc):
        self._source._world.changed.release()


@pytest.fixture(params=["push", "poll"])
def push(request):
    return request.param == "push"


@pytest.fixture
def watching():
    made = []

    def watch(world, *, push=True, **more):
        options = {"interval": 0.005, "delays": lambda: itertools.repeat(0.002), **more}
        made.append(Watch(Source(world, push=push), **options))
        return made[-1]

    yield watch
    for one in made:
        one.close()


def told(watch, count):
    events = [watch.get(timeout=SOON) for _ in range(count)]
    assert watch.get(timeout=0.05) is None, "told more than happened"
    return [(event.kind, event.native_id) for event in events]


def follow(watch, world, table):
    """Apply events to `table` until it is the world's listing, checking that each follows the one before."""
    until = time.monotonic() + SOON
    lost = False
    while table != world.shown():
        event = watch.get(timeout=max(0.0, until - time.monotonic()))
        assert event is not None, f"missed something: {table} {world.shown()}"
        if event.native_id is None:
            assert lost is (event.kind == K.HOST_BACK)
            lost = event.kind == K.HOST_LOST
            continue
        assert not lost, "no news can come over a lost connection"
        assert table.pop(event.native_id, None) == event.before
        assert event.before != event.after, "told twice"
        assert event.domain.info == event.info
        if event.after is not None:
            table[event.native_id] = event.after


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (S.SHUTOFF, S.RUNNING, K.STARTED),
        (S.CRASHED, S.RUNNING, K.STARTED),
        (S.PAUSED, S.RUNNING, K.RESUMED),
        (S.SUSPENDED, S.RUNNING, K.RESUMED),
        (S.RUNNING, S.PAUSED, K.PAUSED),
        (S.SHUTOFF, S.PAUSED, K.PAUSED),
        (S.RUNNING, S.SUSPENDED, K.SUSPENDED),
        (S.RUNNING, S.SHUTOFF, K.STOPPED),
        (S.SUSPENDED, S.SHUTOFF, K.STOPPED),
        (S.RUNNING, S.CRASHED, K.CRASHED),
        (S.RUNNING, S.CHANGING, K.CHANGED),
        (S.RUNNING, S.UNKNOWN, K.CHANGED),
    ],
)
def test_states_before_and_after_make_the_word(watching, push, before, after, kind):
    world = World(info("1", before))
    watch = watching(world, push=push)
    world.put(info("1", after))
    event = watch.get(timeout=SOON)
    assert (event.kind, event.before.power_state, event.after.power_state) == (kind, before, after)
    assert event.host is HOST
    assert event.at.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("passing", [S.CHANGING, S.UNKNOWN])
def test_a_state_that_passes_does_not_start_or_stop_anything(watching, passing):
    world = World(info("1", node="a"), info("2", node="a"), info("3"), info("4", passing))
    watch = watching(world)
    for native_id in "123":
        world.put(info(native_id, passing, node="a" if native_id != "3" else None))
    assert told(watch, 3) == [(K.CHANGED, "1"), (K.CHANGED, "2"), (K.CHANGED, "3")]
    world.put(info("1", node="a"))
    world.put(info("2", node="b"))
    world.put(info("3", S.SUSPENDED))
    world.put(info("4"))
    assert told(watch, 4) == [(K.CHANGED, "1"), (K.MIGRATED, "2"), (K.SUSPENDED, "3"), (K.CHANGED, "4")]


def test_domains_come_go_change_and_move(watching, push):
    world = World(info("1", node="a"), info("2"))
    watch = watching(world, push=push)
    assert [i.native_id for i in watch.domains] == ["1", "2"]
    steps = [
        (lambda: world.put(info("3")), K.DEFINED, "3"),
        (lambda: world.remove("2"), K.REMOVED, "2"),
        (lambda: world.put(info("1", node="a", name="other")), K.CHANGED, "1"),
        (lambda: world.put(info("1", node="b", name="other")), K.MIGRATED, "1"),
        (lambda: world.put(info("1", S.SHUTOFF, node="b", name="other")), K.STOPPED, "1"),
        (lambda: world.put(info("1", S.SHUTOFF, node="c", name="other")), K.CHANGED, "1"),
    ]
    for step, kind, native_id in steps:
        step()
        assert told(watch, 1) == [(kind, native_id)]


def test_templates_are_not_told_until_they_are_domains(watching, push):
    world = World(info("1", is_template=True), info("2"))
    watch = watching(world, push=push)
    assert [i.native_id for i in watch.domains] == ["2"]
    world.put(info("1", name="template", is_template=True))
    world.put(info("2", is_template=True))
    assert told(watch, 1) == [(K.REMOVED, "2")]
    world.put(info("1"))
    assert told(watch, 1) == [(K.DEFINED, "1")]


def test_what_the_product_calls_it_counts(watching):
    world = World(info("1", node="a"))
    watch = watching(world)
    world.put(info("1", node="a"), K.CHANGED)
    assert told(watch, 1) == [(K.CHANGED, "1")]
    world.put(info("1", S.SHUTOFF, node="a"), K.CRASHED)
    assert told(watch, 1) == [(K.CRASHED, "1")]
    world.put(info("1", S.PAUSED, node="b"), K.MIGRATED)
    assert told(watch, 1) == [(K.MIGRATED, "1")]


def test_a_change_seen_twice_is_one_event(watching):
    world = World(info("1"))
    watch = watching(world)
    world.put(info("1", S.PAUSED))
    assert told(watch, 1) == [(K.PAUSED, "1")]
    world.put(info("1", S.PAUSED))
    world.put(info("1", S.PAUSED), K.MIGRATED)
    assert watch.get(timeout=0.05) is None


def test_what_the_first_listing_contains_is_not_told_again(watching):
    world = World(info("1"))

    class Late(Source):
        def listing(self):
            world.put(info("1", S.PAUSED))
            world.put(info("1", S.RUNNING))
            world.put(info("2"))
            return super().listing()

    watch = Watch(Late(world))
    assert [i.native_id for i in watch.domains] == ["1", "2"]
    assert watch.get(timeout=0.1) is None
    watch.close()


def test_a_push_that_tells_less_changes_nothing(watching):
    world = World(info("1"))
    watch = watching(world)
    world.put(DomainInfo(native_id="1", name="vm-1", power_state=S.RUNNING))
    assert watch.get(timeout=0.05) is None
    world.put(DomainInfo(native_id="1", name="vm-1", power_state=S.PAUSED))
    event = watch.get(timeout=SOON)
    assert event.kind == K.PAUSED
    assert event.after.vcpus == 1


def test_a_lost_connection_is_told_once_then_the_difference(watching, push):
    world = World(info("1"), info("2"), info("3"))
    watch = watching(world, push=push)
    world.drop(down=True)
    assert told(watch, 1) == [(K.HOST_LOST, None)]
    world.remove("2")
    world.put(info("1", S.PAUSED))
    world.put(info("4"))
    while world.counts["reconnect"] < 3:
        time.sleep(0.001)
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
    assert _waited(lambda: world.counts["close"] == 1)


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
    assert _waited(lambda: world.counts["close"] == 1)


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
    assert _waited(lambda: world.counts["close"] == 1)


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


@pytest.mark.parametrize("limit", [10_000, 3])
@pytest.mark.parametrize("seed", range(6))
def test_events_applied_to_the_first_listing_give_the_last(watching, push, seed, limit):
    chance = random.Random(seed)
    world = World(*(info(str(number), chance.choice(list(S))) for number in range(6)))
    watch = watching(world, push=push, limit=limit)
    table = {i.native_id: i for i in watch.domains}
    for _ in range(12):
        for _ in range(chance.randrange(12)):
            _something(world, chance)
        if chance.random() < 0.5:
            time.sleep(chance.random() * 0.01)
        if chance.random() < 0.5:
            world.up()
            follow(watch, world, table)
    world.up()
    follow(watch, world, table)
    late = [watch.get(timeout=0.05)]
    while late[-1] is not None:
        late.append(watch.get(timeout=0.05))
    assert all(event.native_id is None for event in late[:-1]), "told of a change that was none"


def _something(world, chance):
    native_id = str(chance.randrange(8))
    draw = chance.random()
    if draw < 0.7:
        world.put(info(native_id, chance.choice(list(S)), node=chance.choice("ab"), is_template=chance.random() < 0.1))
    elif draw < 0.85:
        world.remove(native_id)
    elif draw < 0.93:
        world.drop(down=chance.random() < 0.5)
    else:
        world.forget()


def test_a_slow_reader_gets_the_net_difference_in_bounded_memory(watching):
    queue = EventQueue(limit=100)
    states = [S.RUNNING, S.PAUSED]
    for number in range(10_000):
        one, other = states[number % 2], states[(number + 1) % 2]
        queue.put(Event(host=HOST, kind=K.CHANGED, before=info("1", one), after=info("1", other)))
        queue.put(Event(host=HOST, kind=K.DEFINED, after=info(f"new-{number % 50}")))
        queue.put(Event(host=HOST, kind=K.REMOVED, before=info(f"new-{number % 50}")))
        queue.put(Event(host=HOST, kind=(K.HOST_LOST, K.HOST_BACK)[number % 2]))
        assert len(queue._events) <= 101
    assert not folded(queue._events) or len(folded(queue._events)) <= 2


def step(kind, before, after):
    return Event(host=HOST, kind=kind, before=before, after=after)


def test_folding_keeps_the_effect():
    on, off, paused = info("1"), info("1", S.SHUTOFF), info("1", S.PAUSED)
    lost, back = step(K.HOST_LOST, None, None), step(K.HOST_BACK, None, None)

    def fold(*events):
        return [(event.kind, event.before, event.after) for event in folded(events)]

    assert fold(step(K.PAUSED, on, paused), step(K.STOPPED, paused, off)) == [(K.STOPPED, on, off)]
    assert fold(step(K.PAUSED, on, paused), step(K.RESUMED, paused, on)) == []
    assert fold(step(K.DEFINED, None, off), step(K.STARTED, off, on)) == [(K.DEFINED, None, on)]
    assert fold(step(K.DEFINED, None, off), step(K.REMOVED, off, None)) == []
    assert fold(step(K.STOPPED, on, off), step(K.REMOVED, off, None)) == [(K.REMOVED, on, None)]
    assert fold(step(K.REMOVED, off, None), step(K.DEFINED, None, on)) == [(K.STARTED, off, on)]
    assert fold(step(K.CHANGED, on, on), step(K.CHANGED, on, on)) == [(K.CHANGED, on, on)]
    assert fold(step(K.PAUSED, on, paused), step(K.CRASHED, paused, off)) == [(K.CRASHED, on, off)]
    assert fold(lost, back) == []
    assert fold(lost, back, lost) == [(K.HOST_LOST, None, None)]
    assert [kind for kind, _, _ in fold(back, step(K.STOPPED, on, off), lost)] == [K.HOST_BACK, K.STOPPED, K.HOST_LOST]


def test_pauses_double_up_to_a_limit_with_jitter():
    pauses = list(itertools.islice(backoff(), 12))
    tops = [min(30.0, 0.2 * 2**number) for number in range(12)]
    assert all(top / 2 <= pause <= top for pause, top in zip(pauses, tops, strict=True))


def test_without_a_settled_state_nothing_is_claimed():
    assert kind_of(None, info("1", S.CHANGING), info("1")) == K.CHANGED
    assert kind_of(None, None, info("1")) == K.DEFINED
    assert kind_of(info("1"), info("1"), None) == K.REMOVED


def test_an_event_prints_short_and_becomes_plain_data():
    event = step(K.STARTED, info("1", S.SHUTOFF), info("1"))
    assert repr(event) == "<Event started 'vm-1' shutoff -> running>"
    assert repr(step(K.HOST_LOST, None, None)) == "<Event host-lost 'memory://'>"
    assert event.to_dict()["after"]["power_state"] == "running"
    assert event.to_dict()["domain"] == "1"


def _waited(true):
    until = time.monotonic() + SOON
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True
