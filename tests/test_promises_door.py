"""What the door promises when openings, renewals, closings and interruptions meet."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref

import pytest
import toy
from toy import wait_until

from hvsdk import errors
from hvsdk._deadline import Deadline
from hvsdk.driver import Operation

READ = Operation(id="1", verb="get_domain", native_id="web")


def read(door, seconds=5.0):
    return door.read(READ, lambda d, limit: d.get_domain("web", frozenset(), deadline=limit), Deadline(seconds))


def in_thread(function, results):
    def run() -> None:
        try:
            results.append(function())
        except Exception as exc:
            results.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_session_that_is_opened_too_late_is_closed_again(make_door):
    door, world = make_door(timeout=0.1)
    release = threading.Event()
    world.plan("open", lambda: release.wait(30.0))
    with pytest.raises(errors.OperationTimeoutError):
        door.open(Deadline(None))
    release.set()
    wait_until(lambda: world.closed == 1)


def test_somebody_elses_short_deadline_is_not_ones_own(make_door):
    door, world = make_door(timeout=10.0)
    release = threading.Event()
    world.plan("open", lambda: release.wait(30.0))
    hurried, patient = [], []
    first = in_thread(lambda: read(door, 0.3), hurried)
    wait_until(lambda: world.calls["open"] == 1)
    second = in_thread(lambda: read(door, 10.0), patient)
    first.join()
    second.join()
    release.set()
    assert isinstance(hurried[0], errors.OperationTimeoutError)
    assert patient[0].name == "web"


def test_a_host_closed_while_it_opens_says_so_and_keeps_no_session(make_door):
    door, world = make_door()
    release = threading.Event()
    world.plan("open", lambda: release.wait(30.0))
    results = []
    thread = in_thread(lambda: door.open(Deadline(5.0)), results)
    wait_until(lambda: world.calls["open"] == 1)
    door.close()
    release.set()
    thread.join()
    assert isinstance(results[0], errors.HostClosedError)
    wait_until(lambda: world.closed == 1)


def test_who_waits_behind_a_hanging_call_goes_on_with_the_next_connection(make_door):
    door, world = make_door(max_in_flight=1, timeout=0.5)
    read(door)
    release = threading.Event()
    world.plan("get_domain", lambda: release.wait(30.0))
    hung, waited = [], []
    first = in_thread(lambda: read(door, None), hung)
    wait_until(lambda: world.calls["get_domain"] == 2)
    time.sleep(0.2)
    second = in_thread(lambda: read(door, None), waited)
    first.join()
    second.join()
    release.set()
    assert isinstance(hung[0], errors.OperationTimeoutError)
    assert waited[0].name == "web"
    assert world.opened == 2


def test_after_ctrl_c_a_call_that_never_ends_does_not_block_the_host(make_door):
    door, world = make_door(max_in_flight=1, timeout=0.5)
    read(door)
    release = threading.Event()

    def hang() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(30.0)

    world.plan("get_domain", hang)
    with pytest.raises(KeyboardInterrupt):
        read(door, None)
    try:
        assert read(door, 10.0).name == "web"
    except errors.OperationTimeoutError:  # it was asked in the time that the lost call was still given
        assert read(door, 10.0).name == "web"
    release.set()


def test_an_error_of_a_renewal_reaches_all_who_wait_for_it(make_door):
    door, world = make_door(max_in_flight=4)
    read(door)
    both = threading.Barrier(2)

    def expired() -> None:
        both.wait(10.0)
        raise toy.ToyError("session")

    def refused() -> None:
        time.sleep(0.2)
        raise errors.AuthenticationError("the toy refused us")

    world.plan("get_domain", expired, expired)
    world.plan("open", refused)
    results = []
    threads = [in_thread(lambda: read(door), results) for _ in range(2)]
    for thread in threads:
        thread.join()
    refusals = [result for result in results if isinstance(result, errors.AuthenticationError)]
    assert len(refusals) >= 1
    assert not any("twice" in str(refusal) for refusal in refusals)


def test_an_ordinary_error_leaves_no_cycle_behind(make_door):
    def gone() -> None:
        raise toy.ToyError("gone")

    door, world = make_door()
    gc.collect()
    gc.disable()
    try:
        world.plan("get_domain", gone)
        try:
            read(door)
        except errors.DomainNotFoundError as exc:
            seen = weakref.ref(exc)
        wait_until(lambda: seen() is None)
    finally:
        gc.enable()


def test_a_lost_connection_leaves_no_driver_behind(make_door):
    def hang_up() -> None:
        raise ConnectionResetError

    door, world = make_door()
    driver = weakref.ref(door.open(Deadline(5.0)).driver)
    gc.collect()
    gc.disable()
    try:
        world.plan("get_domain", hang_up)
        assert read(door).name == "web"
        wait_until(lambda: driver() is None)
    finally:
        gc.enable()
