"""A pool of thousands costs what its size says, and its answers are made a few records at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.build import build
from hvsdk_simulators.xapi.encoding import JSON, XML, Format
from hvsdk_simulators.xapi.options import Options
from hvsdk_simulators.xapi.schema import kind_of
from hvsdk_simulators.xapi.vm import operations, rules
from hvsdk_simulators.xapi.world import World

RECORDS = kind_of("(VM ref -> VM record) map")
DOMAINS = 10_000


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World(Options(domains=DOMAINS, hosts=3))
    build(made)
    yield made
    made.stop()


def test_ten_thousand_vms_are_built_with_what_belongs_to_each(world: World) -> None:
    count = world.db.count
    assert DOMAINS <= count("VM") < DOMAINS + 50
    assert count("VM_metrics") >= DOMAINS
    assert (count("VBD") / DOMAINS, count("VIF") / DOMAINS) == pytest.approx((2.25, 1.2), abs=0.1)
    assert world.disks.arena.used == 0, "content that nobody looked at takes no room"


@pytest.mark.parametrize(("form", "count"), [(JSON, DOMAINS), (XML, DOMAINS // 10)], ids=["json", "xml"])
def test_all_records_come_in_pieces_that_do_not_grow_with_the_pool(world: World, form: Format, count: int) -> None:
    sizes, free = [], []
    for piece in form.pieces(world, RECORDS, {vm.ref: vm for vm in world.db.all("VM")[:count]}):
        sizes.append(len(piece))
        if len(sizes) % 10 == 1:
            free.append(_is_free(world))
    assert len(sizes) > count / 100
    assert max(sizes) < 1 << 20
    assert all(free), "others may use the pool between two pieces"


def test_vms_in_the_same_situation_share_one_look_at_the_rules(world: World) -> None:
    rules.allowed.cache_clear()
    vms = world.db.all("VM")
    for vm in vms:
        operations.allowed_operations(world, vm)
    looks = rules.allowed.cache_info()
    assert looks.hits + looks.misses == len(vms)
    assert looks.misses < 100


def _is_free(world: World) -> bool:
    """Whether another thread gets the lock now."""
    found: list[bool] = []

    def take() -> None:
        if world.lock.acquire(timeout=5):
            found.append(True)
            world.lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return bool(found)
