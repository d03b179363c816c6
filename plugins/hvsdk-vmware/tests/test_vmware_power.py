"""The power verbs, their tasks, and guests that can or cannot be asked."""

from __future__ import annotations

import gc
from collections.abc import Callable

import hvsdk
import pytest
from hvsdk.driver import Capability, errors
from hvsdk_simulators import Running
from vmware_support import Raw, domain_calls, finished, opened, soon


def test_every_power_verb_reaches_its_state(domain: hvsdk.Domain) -> None:
    for verb, state in (
        *(("start", "running"), ("reset", "running"), ("suspend", "suspended"), ("resume", "running")),
        *(("suspend", "suspended"), ("start", "running"), ("shutdown", "shutoff"), ("start", "running")),
        *(("power_off", "shutoff"),),
    ):
        getattr(domain, verb)()
        assert domain.power_state == state, verb


def test_verbs_that_are_done_already_do_nothing(domain: hvsdk.Domain) -> None:
    domain.power_off()
    domain.start()
    domain.start()
    assert domain.power_state == "running"


def test_a_suspended_domain_loses_its_memory_only_when_that_is_said(domain: hvsdk.Domain) -> None:
    domain.start()
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.power_off()
    assert domain.refresh().power_state == "suspended"
    domain.power_off(discard_memory=True)
    assert domain.power_state == "shutoff"


def test_there_is_no_pause(host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    assert not host.supports(Capability.PAUSE)
    domain.start()
    with pytest.raises(errors.UnsupportedError):
        domain.pause()


def test_a_guest_without_tools_is_told_at_once(center: Running, domain: hvsdk.Domain) -> None:
    center.act("guest", vm=domain.native_id, tools=False)
    domain.start()
    for ask in (lambda: domain.shutdown(timeout=60), domain.reboot):
        with pytest.raises(errors.GuestAgentError, match="not installed"):
            ask()
    assert domain.refresh().agent == "absent"


def test_a_guest_is_rebooted(domain: hvsdk.Domain) -> None:
    domain.start()
    domain.reboot()
    assert domain.refresh().power_state in ("running", "changing")


def test_a_verb_is_seven_calls_at_the_most(center: Running, domain: hvsdk.Domain) -> None:
    """The call, a look at its task, a collector and a filter, two waits at the most, and the end of the filter."""
    with opened(center) as driver:
        calls = domain_calls(center, lambda: finished(driver.start(domain.native_id, deadline=soon())))
    assert calls["PowerOnVM_Task"] == 1
    assert sum(calls.values()) <= 7, calls


def test_waiting_for_a_long_task_is_no_polling(center: Running, domain: hvsdk.Domain) -> None:
    center.fault("PowerOnVM_Task:task-slow=2:1")
    calls = domain_calls(center, domain.start)
    assert domain.power_state == "running"
    assert calls["WaitForUpdatesEx"] <= 6, calls


def test_waiting_leaves_no_filter_behind(center: Running, domain: hvsdk.Domain) -> None:
    with opened(center) as driver:
        center.fault("PowerOnVM_Task:task-slow=0.3:1")
        calls = domain_calls(center, lambda: finished(driver.start(domain.native_id, deadline=soon())))
        assert calls.get("CreateFilter", 0) == calls.get("DestroyPropertyFilter", 0)
        center.fault("PowerOffVM_Task:task-slow=0.3:1")
        calls = domain_calls(
            center, lambda: finished(driver.power_off(domain.native_id, discard_memory=False, deadline=soon()))
        )
        assert calls.get("CreatePropertyCollector", 0) == 0, "the collector is used again"


def test_a_task_that_is_forgotten_leaves_no_collector_behind(center: Running, domain: hvsdk.Domain) -> None:
    with opened(center) as driver:
        center.fault("PowerOnVM_Task:task-slow=0.5:1")
        forgotten = driver.start(domain.native_id, deadline=soon())
        forgotten.wait(0.1)
        del forgotten
        gc.collect()
        domain.wait_for("running", timeout=20)
        center.fault("SuspendVM_Task:task-slow=0.3:1")
        calls = domain_calls(center, lambda: finished(driver.suspend(domain.native_id, deadline=soon())))
        assert calls["DestroyPropertyCollector"] == 1


def test_a_task_that_fails_says_why(center: Running, domain: hvsdk.Domain) -> None:
    center.fault("PowerOnVM_Task:task-error=InsufficientMemoryResourcesFault,not enough memory:1")
    with pytest.raises(errors.InsufficientResourcesError):
        domain.start()


def test_the_outcome_of_a_task_that_is_forgotten_is_read(center: Running, domain: hvsdk.Domain) -> None:
    center.fault("PowerOnVM_Task:task-vanish:1")
    try:
        domain.start()
    except errors.OutcomeUnknownError:
        domain.refresh()
    assert domain.power_state == "running"


def test_a_task_outlives_the_session_it_was_begun_in(make_center: Callable[..., Running]) -> None:
    center = make_center()
    with opened(center) as driver:
        one = next(info for info in driver.list_domains(frozenset(), deadline=soon()) if info.power_state == "running")
        center.fault("PowerOffVM_Task:task-slow=1:1")
        task = driver.power_off(one.native_id, discard_memory=False, deadline=soon())
        task.poll()
        task.wait(0.1)
        center.act("expire-sessions")
        finished(task)
        assert driver.get_domain(one.native_id, frozenset(), deadline=soon()).power_state == "shutoff"


def test_a_question_is_reported_with_its_text_and_answers(center: Running, raw: Raw, domain: hvsdk.Domain) -> None:
    question = center.act("question", vm=domain.native_id, text="moved or copied?")
    with pytest.raises(errors.BusyError, match=r"moved or copied\?.*copied") as caught:
        domain.start(timeout=20)
    assert caught.value.lasting
    assert domain.refresh().details["vmware.question"]["text"] == "moved or copied?"
    raw.vm(domain.native_id).AnswerVM(question, "button.uuid.copiedTheVM")
    domain.wait_for("running", timeout=20)
