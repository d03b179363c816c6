"""The one door to a driver: opening, time limits, translation, renewal, reconnecting, letting go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from toy import ToyError, raising, wait_until

from hvsdk import errors
from hvsdk._deadline import Deadline
from hvsdk._door import Door, NoAnswer
from hvsdk.driver import Operation

READ = Operation(id="1", verb="get_domain", native_id="web")
CHANGE = Operation(id="2", verb="start", native_id="web", changes=True)


def read(door: Door, seconds: float | None = 5.0):
    return door.read(READ, lambda d, limit: d.get_domain("web", frozenset(), deadline=limit), Deadline(seconds))


def start(door: Door, seconds: float | None = 5.0):
    return door.change(CHANGE, lambda d, limit: d.start("web", deadline=limit), Deadline(seconds))


def test_a_connection_is_opened_once_and_used_by_all(make_door):
    door, world = make_door()
    threads = [threading.Thread(target=read, args=(door,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.opened == 1
    assert world.calls["get_domain"] == 8


def test_threads_that_wait_for_an_opening_get_its_error(make_door):
    door, world = make_door()
    entered, release = threading.Event(), threading.Event()

    def refuse() -> None:
        entered.set()
        release.wait(5.0)
        raise ToyError("busy")

    world.plan("open", refuse)
    found = []

    def ask() -> None:
        try:
            read(door)
        except errors.HvsdkError as exc:
            found.append(exc)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads[0].start()
    assert entered.wait(5.0)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)
    release.set()
    for thread in threads:
        thread.join()
    assert [type(exc) for exc in found] == [errors.BusyError] * 3
    assert len({id(exc) for exc in found}) == 3


def test_what_failed_to_open_is_closed_again(make_door):
    door, world = make_door()
    world.plan("open", raising(ToyError("denied")))
    with pytest.raises(errors.OperationFailedError):
        read(door)
    assert world.closed == 1


def test_a_close_that_fails_does_not_hide_why_the_opening_failed(make_door, caplog):
    door, world = make_door()
    world.plan("open", raising(ToyError("denied")))
    world.plan("close", raising(RuntimeError("broken")))
    with pytest.raises(errors.OperationFailedError, match="denied"):
        read(door)
    assert "closing what could not be opened failed" in caplog.text


def test_vendor_errors_become_ours_with_their_cause(make_door):
    door, world = make_door()
    world.plan("get_domain", raising(ToyError("gone")))
    with pytest.raises(errors.DomainNotFoundError) as caught:
        read(door)
    assert isinstance(caught.value.__cause__, ToyError)
    assert caught.value.backend == "toy"
    assert caught.value.host == "toy://one"
    assert caught.value.native_code == "gone"


def test_a_bug_looks_like_a_bug(make_door):
    door, world = make_door()
    world.plan("get_domain", raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        read(door)


def test_a_translate_that_fails_does_not_hide_the_error(make_door, caplog):
    def translate(exc, operation):
        raise RuntimeError("broken")

    door, world = make_door(translate=staticmethod(translate))
    world.plan("get_domain", raising(ToyError("gone")))
    with pytest.raises(ToyError):
        read(door)
    assert "translate failed" in caplog.text


def test_an_expired_session_is_renewed_and_the_call_repeated(make_door):
    door, world = make_door()
    read(door)
    world.plan("start", raising(ToyError("session")))
    start(door)
    assert world.calls["start"] == 2
    assert world.calls["open"] == 2
    assert world.closed == 0


def test_a_session_that_expires_twice_is_an_authentication_error(make_door):
    door, world = make_door()
    world.plan("get_domain", raising(ToyError("session")), raising(ToyError("session")))
    with pytest.raises(errors.AuthenticationError):
        read(door)
    assert world.calls["get_domain"] == 2


def test_threads_whose_session_expired_together_log_in_once(make_door):
    door, world = make_door()
    read(door)
    together = threading.Barrier(3)

    def expire() -> None:
        together.wait(5.0)
        raise ToyError("session")

    world.plan("get_domain", expire, expire, expire)
    threads = [threading.Thread(target=read, args=(door,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.calls["open"] == 2
    assert world.calls["get_domain"] == 1 + 3 + 3


def test_a_read_is_repeated_once_after_a_lost_connection(make_door):
    door, world = make_door()
    world.plan("get_domain", raising(ConnectionResetError()))
    assert read(door).name == "web"
    assert world.opened == 2
    world.plan("get_domain", raising(ConnectionResetError()), raising(ConnectionResetError()))
    with pytest.raises(errors.ConnectionLostError):
        read(door)
    assert world.calls["get_domain"] == 4


def test_a_change_is_never_repeated_after_a_lost_connection(make_door):
    door, world = make_door()
    world.plan("start", raising(ConnectionResetError()))
    with pytest.raises(NoAnswer) as caught:
        start(door)
    assert isinstance(caught.value.__cause__, errors.ConnectionLostError)
    assert world.calls["start"] == 1


def test_a_change_that_could_not_be_sent_is_a_lost_connection(make_door):
    door, world = make_door()
    world.plan("open", raising(ConnectionRefusedError()))
    with pytest.raises(errors.ConnectionLostError):
        start(door)
    assert world.calls["start"] == 0


def test_a_call_that_hangs_costs_its_time_limit_and_the_connection(make_door):
    door, world = make_door(timeout=0.1)
    release = threading.Event()
    world.plan("get_domain", lambda: release.wait(30.0))
    with pytest.raises(errors.OperationTimeoutError):
        read(door, None)
    assert read(door).name == "web"
    assert world.opened == 2
    assert world.closed == 0
    release.set()
    wait_until(lambda: world.closed == 1)


def test_an_opening_that_hangs_hangs_nobody_else_for_longer_than_their_own_limit(make_door):
    door, world = make_door(timeout=30.0)
    release = threading.Event()
    world.plan("open", lambda: release.wait(30.0))

    def give_up() -> None:
        with pytest.raises(errors.OperationTimeoutError):
            read(door, 1.0)

    first = threading.Thread(target=give_up)
    first.start()
    wait_until(lambda: world.calls["open"] == 1)
    began = time.monotonic()
    with pytest.raises(errors.OperationTimeoutError):
        read(door, 0.1)
    assert time.monotonic() - began < 0.9
    first.join()
    release.set()


def test_no_more_calls_are_under_way_than_the_driver_allows(make_door):
    door, world = make_door(max_in_flight=2)
    now, most = [0], [0]
    lock = threading.Lock()

    def count() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    world.plan("get_domain", *[count] * 12)
    threads = [threading.Thread(target=read, args=(door,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2


def test_a_world_that_ends_with_its_connection_is_not_opened_again(make_door):
    door, world = make_door(reopens=False)
    read(door)
    world.plan("get_domain", raising(ConnectionResetError()))
    with pytest.raises(errors.ConnectionLostError):
        read(door)
    assert world.opened == 1


def test_closing_twice_is_harmless_and_afterwards_everything_is_refused(make_door):
    door, world = make_door()
    read(door)
    door.close()
    door.close()
    assert world.closed == 1
    with pytest.raises(errors.HostClosedError):
        read(door)


def test_closing_waits_only_so_long(make_door, caplog):
    door, world = make_door()
    read(door)
    release = threading.Event()
    world.plan("close", lambda: release.wait(30.0))
    began = time.monotonic()
    door.close(0.1)
    assert time.monotonic() - began < 5
    assert "did not close" in caplog.text
    release.set()


def test_a_forked_child_opens_its_own_connection_and_leaves_the_parents_alone(make_door):
    door, world = make_door()
    read(door)
    abandoned = []
    type(door.open(Deadline(5.0)).driver).abandon = lambda self: abandoned.append(self)
    pid = os.fork()
    if pid == 0:
        read(door)
        os._exit(10 * len(abandoned) + world.opened + 100 * world.closed)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 12
    assert read(door).name == "web"
    assert (world.opened, world.closed) == (1, 0)


def test_sessions_are_closed_at_exit_within_two_seconds_together():
    program = """
import threading, time, toy
from hvsdk._deadline import Deadline
from hvsdk._door import Door
doors = []
for number in range(5):
    backend, driver_class, target, world = toy.toy()
    if number == 0:
        world.plan("close", lambda: print("closing", flush=True))
    else:
        world.plan("close", lambda: threading.Event().wait(60.0))
    doors.append(Door(backend, driver_class, target))
    doors[-1].open(Deadline(5.0))
print(time.time(), flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True, env=environment
    )
    ended = time.time()
    began, closing = done.stdout.splitlines()
    assert closing == "closing"
    assert done.stderr == ""
    assert ended - float(began) < 5
