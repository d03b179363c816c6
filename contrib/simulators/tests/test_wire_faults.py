"""Faults are read as they are written, meet the calls they name, and end when they are used up."""

from __future__ import annotations

import threading

import pytest
from hvsdk_simulators.wire.faults import Action, Fault, Faults, FaultSyntaxError, parse


@pytest.mark.parametrize("action", [one for one in Action if one not in (Action.SLOW, Action.ERROR)])
def test_plain_actions_are_their_names(action: Action) -> None:
    rule = parse(f"VM.start:{action}")
    assert (rule.pattern, rule.fault, rule.left) == ("VM.start", Fault(action), None)


def test_times_come_last() -> None:
    assert parse("VM.start:drop-after:3").left == 3


def test_slow_has_seconds() -> None:
    assert parse("*:slow=0.25:2").fault == Fault(Action.SLOW, seconds=0.25)


def test_errors_have_parameters_with_colons_and_empty_ones() -> None:
    rule = parse("VM.get_record:error=HANDLE_INVALID,VM,OpaqueRef:NULL:1")
    assert rule.fault.details == ("HANDLE_INVALID", "VM", "OpaqueRef:NULL")
    assert rule.left == 1
    assert parse("x:error=CODE,").fault.details == ("CODE", "")


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "VM.start",
        ":drop-before",
        "VM.start:",
        "VM.start:explode",
        "VM.start:drop-before:0",
        "VM.start:drop-before:-1",
        "VM.start:drop-before=1",
        "VM.start:slow",
        "VM.start:slow=",
        "VM.start:slow=-1",
        "VM.start:slow=nan",
        "VM.start:slow=inf",
        "VM.start:error",
        "VM.start:error=",
        "VM.start:error=,x",
    ],
)
def test_what_is_no_fault_is_refused_with_itself(spec: str) -> None:
    with pytest.raises(FaultSyntaxError, match=r"fault|action|slow|error|nothing after") as caught:
        parse(spec)
    assert repr(spec) in str(caught.value)


def test_patterns_meet_what_they_fit_and_nothing_else() -> None:
    faults = Faults("Async.VM.*:drop-before", "/export_*:freeze")
    assert faults.take("Async.VM.start") == Fault(Action.DROP_BEFORE)
    assert faults.take("/export_raw_vdi") == Fault(Action.FREEZE)
    assert faults.take("VM.start") is None
    assert faults.take("async.vm.start") is None


def test_a_fault_ends_after_its_times_and_the_next_one_follows() -> None:
    faults = Faults("VM.start:drop-before:1", "VM.*:freeze:1")
    taken = [faults.take("VM.start") for _ in range(3)]
    assert taken == [Fault(Action.DROP_BEFORE), Fault(Action.FREEZE), None]
    assert [(one["left"], one["taken"]) for one in faults.show()] == [(0, 1), (0, 1)]


def test_clearing_forgets_all() -> None:
    faults = Faults("*:freeze")
    faults.clear()
    assert (faults.take("VM.start"), faults.show()) == (None, [])


def test_threads_take_no_fault_twice() -> None:
    faults = Faults("VM.start:freeze:50")
    taken: list[Fault | None] = []

    def take() -> None:
        for _ in range(25):
            taken.append(faults.take("VM.start"))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in taken) == 50
