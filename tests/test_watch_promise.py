"""The promise of a `Watch`: its events applied to its first listing give the listing now, whatever breaks."""

import random
import time

import pytest
from watch_world import SOON, K, S, World, info, push_fixture, watching_fixture  # noqa: F401  # fixtures


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
        assert event.after in (None, event.domain.info)
        if event.after is not None:
            table[event.native_id] = event.after


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
