"""The threads on which drivers are called."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import threading
import time

import pytest

from hvsdk import _worker


def test_what_a_call_returns_or_raises_reaches_the_caller():
    assert _worker.run(lambda: 42, 5.0) == 42
    with pytest.raises(ZeroDivisionError):
        _worker.run(lambda: 1 / 0, 5.0)


def test_a_caller_walks_away_from_a_call_that_hangs_and_others_are_served():
    release = threading.Event()
    with pytest.raises(_worker.NoAnswerError):
        _worker.run(release.wait, 0.05)
    assert _worker.run(lambda: "served", 5.0) == "served"
    release.set()


def test_a_late_result_can_still_be_had():
    release = threading.Event()
    call = _worker.submit(lambda: release.wait(5.0))
    with pytest.raises(_worker.NoAnswerError):
        call.result(0.01)
    release.set()
    assert call.result(5.0) is True
    assert call.result(5.0) is True


def test_threads_are_used_again():
    names = {_worker.run(lambda: threading.current_thread().ident, 5.0) for _ in range(50)}
    assert len(names) <= 2


def test_calls_see_the_callers_context():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("mine")
    assert _worker.run(variable.get, 5.0) == "mine"


def test_what_a_call_sets_in_the_context_stays_there():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="before")
    _worker.run(lambda: variable.set("inside"), 5.0)
    assert variable.get() == "before"


def test_many_threads_each_get_their_own_answer():
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(100):
            if _worker.run(lambda: number, 5.0) != number:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_child_makes_threads_of_its_own():
    _worker.run(lambda: None, 5.0)
    pid = os.fork()
    if pid == 0:
        os._exit(7 if _worker.run(lambda: 7, 5.0) == 7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_a_call_that_hangs_does_not_hold_up_the_end_of_the_interpreter():
    program = (
        "import threading\n"
        "from hvsdk import _worker\n"
        "try:\n _worker.run(threading.Event().wait, 0.05)\n"
        "except _worker.NoAnswerError:\n print('walked away')\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "walked away\n"
    assert done.stderr == ""
    assert time.monotonic() - began < 15
