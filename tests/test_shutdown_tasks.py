"""Requests to shut down that the product works on as tasks: none is left behind."""

from __future__ import annotations

import pytest
import toy

from hvsdk import errors
from hvsdk._host import unopened_host
from hvsdk.driver import PowerState, Task


class Request(Task[None]):
    """A request that the guest of `polls` polls obeys; it stays in `world.requests` until its end is seen."""

    def __init__(self, world, native_id, polls):
        self.world, self.native_id, self.left = world, native_id, polls
        self.cancelled = False
        world.requests.append(self)

    def poll(self):
        self.left -= 1
        if not self.cancelled and self.left > 0:
            return False, None, None
        self.world.requests.remove(self)
        if self.cancelled:
            raise errors.CancelledError("cancelled")
        self.world.states[self.native_id] = PowerState.SHUTOFF
        return True, 1.0, None

    def cancel(self):
        self.world.calls["cancel"] += 1
        self.cancelled = True


class TaskDriver(toy.ToyDriver):
    def shutdown(self, native_id, *, deadline):
        self.world.enter("shutdown")
        return Request(self.world, native_id, self.world.polls)


@pytest.fixture
def host():
    backend, _, target, world = toy.toy()
    world.requests, world.states["web"] = [], PowerState.RUNNING
    driver_class = type("Asking", (TaskDriver,), {"world": world})
    opened = unopened_host(
        backend,
        driver_class,
        target.__class__(url="toy://one", scheme="toy", backend="toy", timeout=5.0),
        None,  # type: ignore[arg-type]  # nothing here pickles it
        operation_deadline=None,
        readonly=False,
        allow=(),
    )
    yield opened, world
    opened.close()


def test_a_request_that_is_not_obeyed_in_time_is_cancelled_and_seen_to_its_end(host):
    host, world = host
    world.polls = 10**6
    with pytest.raises(errors.OperationTimeoutError):
        host.domain("web").shutdown(timeout=1.0)
    assert world.requests == []
    assert world.calls["cancel"] == 1


def test_the_end_of_an_obeyed_request_is_seen_and_nothing_cancelled(host):
    host, world = host
    world.polls = 3
    world.plan("get_domain", lambda: None, lambda: world.states.update(web=PowerState.SHUTOFF))
    web = host.domain("web")
    web.shutdown(timeout=5)
    assert web.power_state is PowerState.SHUTOFF
    assert (world.requests, world.calls["cancel"], world.calls["shutdown"]) == ([], 0, 1)
