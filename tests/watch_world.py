"""A small host in memory that really pushes, loses connections and forgets changes; and how its watches are made."""

import itertools
import threading
import time
from types import SimpleNamespace

import pytest

from hvsdk import errors
from hvsdk._watch import Watch
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


@pytest.fixture(name="push", params=["push", "poll"])
def push_fixture(request):
    return request.param == "push"


@pytest.fixture(name="watching")
def watching_fixture():
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


def waited(true):
    until = time.monotonic() + SOON
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True
