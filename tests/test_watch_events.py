"""Which events a `Watch` makes of what changes."""

import pytest
from watch_world import HOST, SOON, K, S, Source, World, info, push_fixture, told, watching_fixture  # noqa: F401  # fixtures

from hvsdk._watch import Event, Watch
from hvsdk._watch_diff import kind_of
from hvsdk._watch_queue import EventQueue, folded
from hvsdk.models import DomainInfo


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
