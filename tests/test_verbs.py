"""How a changing verb is carried out: idempotence, lost races, lost answers, time."""

from __future__ import annotations

import threading
import time

import pytest
import toy
from toy import ToyError, raising

from hvsdk import errors
from hvsdk._host import unopened_host
from hvsdk.driver import BackgroundTask, PowerState, Task


@pytest.fixture
def make_host():
    hosts = []

    def make(timeout: float = 5.0, **attributes):
        backend, driver_class, target, world = toy.toy(**attributes)
        host = unopened_host(
            backend,
            driver_class,
            target.__class__(url="toy://one", scheme="toy", backend="toy", timeout=timeout),
            None,  # type: ignore[arg-type]  # nothing here pickles it
            operation_deadline=None,
            readonly=False,
            allow=(),
        )
        hosts.append(host)
        return host, world

    yield make
    for host in hosts:
        host.close()


def test_a_verb_costs_its_call_and_one_look(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.calls.clear()
    web.pause()
    assert world.calls["pause"] == 1
    assert world.calls["get_domain"] == 1
    assert web.power_state is PowerState.PAUSED


def test_the_state_it_is_already_in_is_success_and_costs_one_look_more(make_host):
    host, world = make_host()
    web = host.domain("web")
    web.power_off()
    world.calls.clear()
    web.power_off()
    assert (world.calls["power_off"], world.calls["get_domain"]) == (1, 1)


def test_a_state_that_does_not_allow_it_is_named_with_what_to_do(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.states["web"] = PowerState.PAUSED
    world.plan("start", raising(ToyError("state")))
    with pytest.raises(errors.PowerStateError, match="is paused") as caught:
        web.start()
    assert caught.value.state is PowerState.PAUSED
    assert "unpause()" in str(caught.value)
    assert isinstance(caught.value.__cause__, errors.PowerStateError)


def test_a_lost_race_is_tried_again(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("start", *[raising(ToyError("state"))] * 3)
    web.start()
    assert world.calls["start"] == 4
    assert web.power_state is PowerState.RUNNING


def test_a_refusal_in_an_allowed_state_ends_with_the_deadline_and_the_first_cause(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("start", *[raising(ToyError("state"))] * 1000)
    with pytest.raises(errors.OperationFailedError, match="refused again and again"):
        web.start(timeout=1)
    assert world.calls["start"] > 1


def test_a_busy_domain_is_waited_for(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("start", raising(ToyError("busy")), raising(ToyError("busy")))
    web.start()
    assert world.calls["start"] == 3
    world.plan("power_off", *[raising(ToyError("busy"))] * 1000)
    with pytest.raises(errors.BusyError):
        web.power_off(timeout=1.0)


def test_a_changing_domain_is_waited_for_and_then_busy(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.states["web"] = PowerState.CHANGING
    world.plan("pause", *[raising(ToyError("state"))] * 1000)
    with pytest.raises(errors.BusyError, match="changing"):
        web.pause(timeout=1.0)


def test_a_busy_domain_is_busy_when_the_last_look_came_too_late(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.states["web"] = PowerState.CHANGING
    world.plan("pause", *[raising(ToyError("state"))] * 1000)
    world.plan("get_domain", lambda: None, lambda: time.sleep(0.5))
    with pytest.raises(errors.BusyError, match="changing"):
        web.pause(timeout=0.3)


def test_a_busy_domain_is_busy_when_no_time_was_left_to_ask_again(make_host):
    host, world = make_host(max_in_flight=1)
    web = host.domain("web")
    world.plan("host_info", lambda: time.sleep(0.6))
    other = threading.Thread(target=host.info)

    def busy_and_then_taken() -> None:
        other.start()
        raise ToyError("busy")

    world.plan("power_off", busy_and_then_taken)
    with pytest.raises(errors.BusyError):
        web.power_off(timeout=0.3)
    other.join()
    assert world.calls["power_off"] == 1


def test_a_lost_answer_is_success_when_the_state_shows_the_goal(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("start done", raising(ConnectionResetError()))
    web.start()
    assert web.power_state is PowerState.RUNNING
    assert world.calls["start"] == 1


def test_a_lost_answer_is_an_unknown_outcome_otherwise_and_is_not_repeated(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("start", raising(ConnectionResetError()))
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        web.start()
    assert caught.value.last_seen is PowerState.SHUTOFF
    assert "read again, it is shutoff" in str(caught.value)
    assert isinstance(caught.value.__cause__, errors.ConnectionLostError)
    assert world.calls["start"] == 1


def test_no_answer_in_time_is_an_unknown_outcome(make_host):
    host, world = make_host(timeout=0.2)
    web = host.domain("web")
    release = threading.Event()
    world.plan("start", lambda: release.wait(30.0))
    with pytest.raises(errors.OutcomeUnknownError):
        web.start()
    release.set()


def test_an_answer_without_the_state_in_time_is_a_timeout_with_the_state_last_seen(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("pause done", lambda: world.states.update(web=PowerState.RUNNING))
    with pytest.raises(errors.OperationTimeoutError) as caught:
        web.pause(timeout=0.3)
    assert caught.value.last_seen is PowerState.RUNNING
    assert isinstance(caught.value, TimeoutError)


def test_unguarded_verbs_look_before_they_call(make_host):
    host, world = make_host(unguarded=frozenset({"pause"}))
    web = host.domain("web")
    world.calls.clear()
    with pytest.raises(errors.PowerStateError):
        web.pause()
    assert world.calls["pause"] == 0
    world.states["web"] = PowerState.RUNNING
    web.pause()
    assert world.calls["pause"] == 1


def test_two_threads_that_pull_in_opposite_directions_raise_nothing_but_their_states(make_host):
    host, _world = make_host()
    found: list[BaseException] = []

    def pull(verb: str) -> None:
        web = host.domain("web")
        for _ in range(100):
            try:
                getattr(web, verb)(timeout=10.0)
            except BaseException as exc:
                found.append(exc)

    threads = [threading.Thread(target=pull, args=(verb,)) for verb in ("start", "power_off")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(exc) for exc in found if not isinstance(exc, errors.OperationTimeoutError)] == []


class Steps(Task):
    """A task that takes as many polls as it is given shares."""

    def __init__(self, world, native_id, shares, goal=PowerState.RUNNING):
        self.world, self.native_id, self.shares, self.goal = world, native_id, list(shares), goal
        self.cancelled = False

    def poll(self):
        self.world.enter("poll")
        if self.cancelled:
            raise errors.CancelledError("cancelled")
        if self.shares:
            return False, self.shares.pop(0), None
        self.world.states[self.native_id] = self.goal
        return True, 1.0, None

    def cancel(self):
        self.world.enter("cancel")
        self.cancelled = True


def tasked(world_of: list, shares):
    def start(self, native_id, *, deadline):
        task = Steps(self.world, native_id, shares)
        world_of.append(task)
        return task

    return start


def test_a_task_is_waited_for_and_its_progress_told(make_host):
    tasks: list[Steps] = []
    host, _world = make_host(start=tasked(tasks, [0.0, 0.5]))
    shares: list[float | None] = []
    web = host.domain("web")
    web.start(progress=shares.append)
    assert shares == [0.0, 0.5]
    assert web.power_state is PowerState.RUNNING


def test_a_task_that_outlasts_the_time_goes_on_and_the_error_says_so(make_host):
    tasks: list[Steps] = []
    host, world = make_host(start=tasked(tasks, [0.1] * 10_000))
    with pytest.raises(errors.OperationTimeoutError, match="goes on at the server"):
        host.domain("web").start(timeout=1.0)
    assert world.calls["cancel"] == 0


def test_a_cancelled_verb_that_makes_nothing_goes_on_and_says_so(make_host):
    tasks: list[Steps] = []
    host, _ = make_host(start=tasked(tasks, [0.1] * 10_000))
    cancel = threading.Event()
    with pytest.raises(errors.CancelledError, match="goes on at the server"):
        host.domain("web").start(cancel=cancel, progress=lambda share: cancel.set())


def test_a_connection_lost_during_a_task_is_looked_after(make_host):
    tasks: list[Steps] = []
    host, world = make_host(start=tasked(tasks, [0.1] * 10))
    world.plan("poll", lambda: None, raising(ConnectionResetError()))
    with pytest.raises(errors.OutcomeUnknownError):
        host.domain("web").start()


def test_a_background_task_hands_out_result_and_error():
    task = BackgroundTask(lambda: 7)
    task.wait(5.0)
    assert task.poll() == (True, 1.0, 7)
    failed = BackgroundTask(raising(ToyError("late")))
    failed.wait(5.0)
    with pytest.raises(ToyError):
        failed.poll()


def test_a_start_whose_guest_ends_at_once_is_reported_as_it_is(make_host):
    host, world = make_host()
    web = host.domain("web")
    world.plan("start done", lambda: world.states.update(web=PowerState.SHUTOFF))
    web.start(timeout=20.0)
    assert web.power_state is PowerState.SHUTOFF
