from __future__ import annotations

import asyncio
import contextvars
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

import hvsdk
from hvsdk import _context


def see(*args, **kwargs):
    return dict(_context.marks()), args, kwargs


def test_inner_marks_add_to_the_outer_ones_and_go_with_their_block():
    with hvsdk.context(ticket="A", team="x"):
        with hvsdk.context(ticket="B", run=7):
            assert dict(_context.marks()) == {"ticket": "B", "team": "x", "run": "7"}
        with hvsdk.context(team=None):
            assert dict(_context.marks()) == {"ticket": "A"}
        assert dict(_context.marks()) == {"ticket": "A", "team": "x"}
    assert dict(_context.marks()) == {}


def test_marks_end_when_the_block_fails():
    with pytest.raises(RuntimeError), hvsdk.context(ticket="A"):
        raise RuntimeError
    assert dict(_context.marks()) == {}


def test_marks_cannot_be_changed_behind_the_blocks_back():
    with hvsdk.context(ticket="A"), pytest.raises(TypeError):
        _context.marks()["ticket"] = "B"


def test_a_function_may_be_decorated():
    @hvsdk.context(ticket="A")
    def work():
        return dict(_context.marks())

    assert work() == work() == {"ticket": "A"}


def test_the_actor_is_the_account_of_the_process_not_the_environment(monkeypatch):
    import pwd

    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert _context.actor() == pwd.getpwuid(os.getuid()).pw_name
    with hvsdk.context(on_behalf_of="alice"):
        assert _context.actor() == "alice"


def test_an_account_without_a_name_is_its_number():
    assert _context._process_user(3999999999) == "uid 3999999999"


def test_marks_follow_into_asyncio_threads():
    async def main():
        with hvsdk.context(ticket="A"):
            return await asyncio.to_thread(see)

    assert asyncio.run(main())[0] == {"ticket": "A"}


def test_carried_functions_take_all_context_variables_into_several_threads_at_once():
    trace = contextvars.ContextVar("trace", default="none")
    together = Barrier(3, timeout=10)

    def work(number):
        together.wait()
        return number, trace.get(), dict(_context.marks())

    with ThreadPoolExecutor(3) as pool:
        token = trace.set("t-1")
        with hvsdk.context(ticket="A"):
            carried = _context.carry(work)
        trace.reset(token)
        assert list(pool.map(carried, range(3))) == [(n, "t-1", {"ticket": "A"}) for n in range(3)]
        assert pool.submit(see).result()[0] == {}


def test_a_carried_function_keeps_its_marks_in_a_pickle():
    with hvsdk.context(ticket="A"):
        carried = _context.carry(see)
    again = pickle.loads(pickle.dumps(carried))
    assert again(1, two=2) == ({"ticket": "A"}, (1,), {"two": 2})
    assert dict(_context.marks()) == {}


def test_a_carried_function_raises_what_it_raises():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        _context.carry(fail)()
