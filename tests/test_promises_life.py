"""Hooks, callbacks, forks, watches and the end of the interpreter, while calls are under way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

import hvsdk
from hvsdk import DiskSpec, DomainSpec, errors
from hvsdk.testing.fake import control

SPEC = DomainSpec(name="new", memory="1GiB", disks=[DiskSpec(size="1GiB")])


def test_a_before_hook_may_ask_the_host(register):
    class Policy:
        asked = 0

        @hvsdk.hookimpl
        def hvsdk_before_operation(self, operation):
            self.asked += len(host.domains(full=True))

    with hvsdk.connect("fake://demo?domains=3") as host:
        policy = register(Policy())
        host.domains(state="shutoff")[0].start()
        assert policy.asked == 3


def test_a_hook_is_not_asked_about_what_it_does_itself(register):
    class Careful:
        @hvsdk.hookimpl
        def hvsdk_before_operation(self, operation):
            domain.set_notes(f"before {operation.verb}")

        @hvsdk.hookimpl
        def hvsdk_after_operation(self, operation, outcome):
            domain.set_tags([outcome.status])

    class Other:
        def __init__(self) -> None:
            self.verbs = []

        @hvsdk.hookimpl
        def hvsdk_before_operation(self, operation):
            self.verbs.append(operation.verb)

    with hvsdk.connect("fake://demo?domains=2") as host:
        domain = host.domains(state="shutoff")[0]
        register(Careful())
        other = register(Other())
        domain.start()
        assert (domain.notes, domain.tags) == ("before start", {"ok"})
    assert sorted(other.verbs) == ["set_notes", "set_tags", "start"]


def test_a_progress_callback_that_raises_one_of_our_errors_undoes_what_was_begun():
    def veto(share):
        raise errors.VetoError("enough")

    with hvsdk.connect("fake://demo?domains=2&tasks=1&task_steps=50") as host:
        with pytest.raises(errors.VetoError, match="enough"):
            host.create_domain(SPEC, progress=veto)
        assert host.domains(name="new") == []


def test_the_deadline_of_connect_bounds_a_creation_by_task():
    with hvsdk.connect("fake://demo?domains=2", deadline=0.4) as host:
        control(host).fail("create_domain", "task-stalls")
        with pytest.raises(errors.OperationTimeoutError, match="removed"):
            host.create_domain(SPEC)
        assert host.domains(name="new") == []


def test_what_was_made_is_returned_though_it_cannot_be_read_again():
    with hvsdk.connect("fake://demo?domains=2") as host:
        control(host).fail("get_domain", "drop-before", times=2)
        assert host.create_domain(SPEC).name == "new"
        assert len(host.domains(name="new")) == 1


def test_a_change_that_was_carried_out_is_not_called_lost():
    with hvsdk.connect("fake://demo?domains=2") as host:
        web = host.domains()[0]
        control(host).fail("get_domain", "drop-before", times=4)
        with pytest.raises(errors.HvsdkError, match="set_notes itself had been accepted"):
            web.set_notes("written")
        control(host).heal()
        assert web.refresh().notes == "written"


def test_closing_during_a_call_ends_it_with_an_unknown_outcome():
    host = hvsdk.connect("fake://demo?domains=2")
    fake, web = control(host), host.domains(state="shutoff")[0]
    fake.fail("start", "hang")
    caught = []

    def start() -> None:
        try:
            web.start()
        except errors.HvsdkError as exc:
            caught.append(exc)

    thread = threading.Thread(target=start)
    thread.start()
    while not fake.calls.get("start"):
        time.sleep(0.005)
    host.close()
    thread.join(10)
    assert isinstance(caught[0], errors.OutcomeUnknownError)


def test_a_reader_from_before_a_fork_is_refused_in_the_child():
    with hvsdk.connect("fake://demo?domains=4") as host:
        off = host.domains(state="shutoff", full=True)[0]
        with off.open_disk(off.disks[0]) as reader:
            pid = os.fork()
            if pid == 0:
                try:
                    reader.read(0, 1)
                except errors.HostClosedError:
                    os._exit(7)
                os._exit(8)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            assert len(reader.read(0, 1)) == 1


def test_a_fork_while_plugins_are_being_loaded_leaves_no_lock_held():
    from hvsdk._plugins import plugins

    with plugins._scan_lock, plugins._lock:
        held = threading.Event()
        results = []

        def fork() -> None:
            pid = os.fork()
            if pid == 0:
                plugins._load_core()
                os._exit(7)
            held.set()
            results.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        thread = threading.Thread(target=fork)
        thread.start()
        held.wait(10)
        thread.join(10)
    assert results == [7]


def test_the_finalizer_of_a_watch_takes_no_lock_that_its_thread_may_hold():
    from hvsdk._watch_feed import _Stop

    stop = _Stop()
    assert not stop.wait(0.01)
    stop.set()
    stop.set()
    assert stop.wait(float("inf"))
    assert stop.wait(0.0)


def test_the_interpreter_ends_while_a_call_hangs_and_a_watch_is_open():
    program = """
import contextlib, threading, time, hvsdk
from hvsdk.testing.fake import control
host = hvsdk.connect("fake://demo?domains=2")
watch = host.watch()
control(host).fail("host_info", "hang")
def ask():
    with contextlib.suppress(hvsdk.errors.HvsdkError):
        host.info()
threading.Thread(target=ask, daemon=True).start()
threading.Thread(target=watch.get, daemon=True).start()
while not control(host).calls.get("host_info"):
    time.sleep(0.005)
print(time.time(), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    assert time.time() - float(done.stdout) < 5
