from __future__ import annotations

import logging
import pickle

import login_toy
import pytest

import hvsdk
from hvsdk import _hook_calls, errors
from hvsdk._outcome import Outcome
from hvsdk.driver import Operation, PasswordCredentials, Target

OPERATION = Operation(id="1", verb="start", backend="toy", host="toy://one")


def failing(*ignored):
    raise RuntimeError("Hunter2")


def before(function):
    return login_toy.plugin(hvsdk_before_operation=lambda operation: function(operation))


def test_a_veto_names_the_plugin_and_keeps_its_type_and_reason(register):
    class Freeze(errors.VetoError):
        pass

    def refuse(operation):
        raise Freeze("change freeze", hint="wait until Monday")

    register(before(refuse), "policy")
    with pytest.raises(Freeze, match=r"start is refused by plugin policy: change freeze.*wait until Monday") as caught:
        _hook_calls.before_operation(OPERATION)
    assert (caught.value.backend, caught.value.host) == ("toy", "toy://one")


def test_a_veto_object_that_is_reused_does_not_grow(register):
    veto = errors.VetoError("no")

    def refuse(operation):
        raise veto

    register(before(refuse), "policy")
    said = set()
    for _ in range(3):
        with pytest.raises(errors.VetoError) as caught:
            _hook_calls.before_operation(OPERATION)
        said.add(str(caught.value))
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert said == {"start is refused by plugin policy: no [toy://one]"}


def test_a_before_hook_that_crashes_refuses(register, caplog):
    register(before(failing), "policy")
    with pytest.raises(errors.VetoError, match="policy failed while it was asked: RuntimeError") as caught:
        _hook_calls.before_operation(OPERATION)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "plugin policy failed in hvsdk_before_operation" in caplog.text


def test_the_first_refusal_ends_the_asking(register):
    asked = []
    register(before(failing))
    register(before(asked.append), "second")
    with pytest.raises(errors.VetoError):
        _hook_calls.before_operation(OPERATION)
    assert asked == []


def test_ctrl_c_in_a_hook_is_ctrl_c(register):
    def interrupt(operation):
        raise KeyboardInterrupt

    register(before(interrupt))
    with pytest.raises(KeyboardInterrupt):
        _hook_calls.before_operation(OPERATION)


def test_an_after_hook_that_crashes_is_logged_and_stops_nobody(register, caplog):
    outcome = Outcome(status="ok", seconds=1.0)
    told = []

    def crash(outcome):
        raise RuntimeError("out of order")

    register(login_toy.plugin(hvsdk_after_operation=crash), "audit")
    register(
        login_toy.plugin(hvsdk_after_operation=lambda operation, outcome: told.append((operation, outcome))), "metrics"
    )
    _hook_calls.after_operation(OPERATION, outcome)
    assert told == [(OPERATION, outcome)]
    assert [record.getMessage() for record in caplog.records] == [
        "plugin audit failed in hvsdk_after_operation: RuntimeError: out of order"
    ]


def test_an_event_hook_that_crashes_is_logged_and_stops_nobody(register, caplog):
    told = []

    def crash(event):
        raise RuntimeError("out of order")

    register(login_toy.plugin(hvsdk_event=crash), "one")
    register(login_toy.plugin(hvsdk_event=lambda event: told.append(event)), "two")
    _hook_calls.event("happened")
    assert told == ["happened"]
    assert "plugin one failed in hvsdk_event" in caplog.text


def test_a_credentials_hook_that_fails_is_passed_over_and_its_words_stay_out_of_the_log(register, caplog):
    target = Target(url="toy://x", scheme="toy")
    register(login_toy.plugin(hvsdk_credentials=lambda target: failing()), "vault")
    register(login_toy.plugin(hvsdk_credentials=lambda target: None), "none")
    register(login_toy.plugin(hvsdk_credentials=lambda target: "Hunter2"), "wrong")
    register(login_toy.plugin(hvsdk_credentials=lambda target: PasswordCredentials(password="right")), "right")
    found = _hook_calls.credentials(target)
    assert found == PasswordCredentials(password="right")
    assert "plugin vault failed in hvsdk_credentials: RuntimeError" in caplog.text
    assert "plugin wrong failed" in caplog.text
    assert "Hunter2" not in caplog.text


def test_without_operation_hooks_nothing_is_asked(register):
    assert not _hook_calls.has_operation_hooks()
    plugin = register(login_toy.plugin(hvsdk_after_operation=lambda outcome: None))
    assert _hook_calls.has_operation_hooks()
    hvsdk.unregister(plugin)
    assert not _hook_calls.has_operation_hooks()
    hvsdk.register(plugin)  # for the fixture to take back


def test_hooks_see_operations_of_a_host_and_can_refuse_them(toy_backend, register):
    toy_backend()
    host = hvsdk.connect("toy://server")
    seen = []
    register(
        login_toy.plugin(
            hvsdk_before_operation=lambda operation: seen.append(operation),
            hvsdk_after_operation=lambda operation, outcome: seen.append((operation, outcome.status)),
        )
    )
    with hvsdk.context(ticket="CHG-1", on_behalf_of="alice"):
        host.domain("web").start()
    asked, (ended, status) = seen
    assert (asked.verb, asked.actor, dict(asked.marks)) == (
        "start",
        "alice",
        {"ticket": "CHG-1", "on_behalf_of": "alice"},
    )
    assert (ended.id, status) == (asked.id, "ok")


def test_no_handler_is_added_to_the_log(register):
    before_handlers = list(logging.getLogger("hvsdk").handlers)
    register(login_toy.plugin(hvsdk_event=lambda event: failing()))
    _hook_calls.event("x")
    assert logging.getLogger("hvsdk").handlers == before_handlers
