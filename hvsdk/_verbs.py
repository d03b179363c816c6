"""How a changing verb is carried out: call first, look at the state only when the product refuses.

Idempotence costs nothing when nothing is wrong. A refusal is judged by the state table: already there is success, a state
that allows the verb is a lost race and tried again, anything else is an error that names the state.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hvsdk import _worker
from hvsdk._deadline import Deadline
from hvsdk._door import Connection, NoAnswer, cause_of
from hvsdk._driver.base import Driver
from hvsdk._driver.task import Task
from hvsdk._operation import CONFIG, STATE, Doing
from hvsdk._power import Rule, Verdict, advice, state_words
from hvsdk._refusal import asked
from hvsdk._waiting import Cancel, Pauses, Progress, Undo, await_info, finish, remove, stop
from hvsdk.enums import PowerState
from hvsdk.errors import (
    BusyError,
    CancelledError,
    ConnectError,
    ConnectionLostError,
    HvsdkError,
    OperationFailedError,
    OperationTimeoutError,
    OutcomeUnknownError,
    PowerStateError,
)

if TYPE_CHECKING:
    from hvsdk.models import DomainInfo

__all__ = ["Outcome", "carry_out", "fresh", "refuse_state"]

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 5.0
"""How long the domain is looked for whose verb got no answer, while nobody answers that either."""
RETRY_SECONDS = 60.0
"""How long something that is busy is tried again, where the verb has no limit of its own."""
LAST_CHANCE_SECONDS = 0.25
LAST_CHANCE_SHARE = 0.2
"""With less time than this, than this share of all of it, or than three times what it took before, a refused call is not made
again: its outcome would be unknown for nothing."""
LONGEST_LAST_CHANCE_SECONDS = 5.0
INTERRUPT_SECONDS = 10.0
"""How long Ctrl-C waits for the answer to a call that makes something, in order to undo it."""


class Outcome(Generic[T]):
    """What came of a call: `info` when there was nothing (more) to do, else `result`."""

    __slots__ = ("info", "result")

    def __init__(self, result: T | None = None, info: DomainInfo | None = None) -> None:
        self.result = result
        self.info = info


def refuse_state(doing: Doing, info: DomainInfo, verb: str | None = None) -> PowerStateError:
    """Return the error for a state that does not allow the verb."""
    verb = verb or doing.operation.verb
    return PowerStateError(
        f"{verb} is not possible: {doing.host._words(info)} is {state_words(info.power_state)}",
        state=info.power_state,
        backend=doing.host.backend,
        host=doing.host.url,
        hint=advice(verb, info.power_state),
    )


def carry_out(
    doing: Doing,
    call: Callable[[Driver, Deadline], T | Task[T]],
    *,
    rule: Rule | None = None,
    power: bool = False,
    reached: Callable[[DomainInfo], bool] | None = None,
    creates: bool = False,
    undo: Undo[T] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Outcome[T]:
    """Call the driver for a changing verb and see its task through.

    Args:
        rule: The verb's column of the state table; `None` where states do not matter.
        power: Whether a refusal in a state that the table allows is a lost race, and tried again.
        reached: Tells from the record whether the goal is reached, for calls whose answer was lost.
        creates: Whether a task is cancelled and undone when the caller gives up.
        undo: Removes what was made, when Ctrl-C came before its answer or a task was done before it could be cancelled.
    """
    bound = doing.deadline.sooner(RETRY_SECONDS)
    pauses = Pauses(bound)
    least = max(LAST_CHANCE_SECONDS, LAST_CHANCE_SHARE * bound.remaining())
    guard = rule is not None and doing.operation.verb in doing.door.driver_class.unguarded
    first: HvsdkError | None = None
    begun = False
    took = 0.0

    def begin(driver: Driver, limit: Deadline) -> T | Task[T]:
        nonlocal begun
        begun = True
        return call(driver, limit)

    while True:
        begun = False
        began = time.monotonic()
        try:
            if guard and rule is not None:
                there = _judge(doing, rule, doing.look(STATE), None)
                if there is not None:
                    return Outcome(info=doing.look(CONFIG))
            if cancel is not None and cancel.is_set():
                raise CancelledError(
                    f"{asked(doing.operation)} was cancelled before it was begun",
                    backend=doing.host.backend,
                    host=doing.host.url,
                )
            return Outcome(result=_call(doing, begin, creates, undo, progress, cancel))
        except NoAnswer as silence:
            return Outcome(info=_after_silence(doing, silence, reached))
        except _Wait as wait:
            first = first or wait.refusal
        except PowerStateError as refusal:
            if rule is None or doing.operation.native_id is None:
                raise
            try:
                there = _judge(doing, rule, doing.look(CONFIG), refusal)
            except _Wait as wait:
                first = first or wait.refusal
            except OperationTimeoutError as late:
                if first is None:
                    raise
                raise _gave_up(doing, first) from late
            else:
                if there is not None:
                    return Outcome(info=there)
                if not power:
                    assert doing.info is not None
                    refusal.state = refusal.state or doing.info.power_state
                    raise
            first = first or refusal
        except BusyError as busy:
            if busy.lasting:
                raise
            first = first or busy
        except OperationTimeoutError as late:
            if begun or first is None:
                raise
            raise _gave_up(doing, first) from late  # the last pause was longer than it was to be
        took = max(took, time.monotonic() - began)
        chance = min(max(least, 3 * took), LONGEST_LAST_CHANCE_SECONDS)
        if bound.remaining() < chance:
            raise _gave_up(doing, first)
        pauses.sleep(leave=chance)


class _Wait(Exception):
    """The domain is changing: look again."""

    def __init__(self, refusal: HvsdkError) -> None:
        self.refusal = refusal


def _judge(doing: Doing, rule: Rule, info: DomainInfo, refusal: HvsdkError | None) -> DomainInfo | None:
    """Return the record when the domain is already there, `None` when the verb may be tried."""
    verdict = rule.judge(info.power_state)
    if verdict is Verdict.DONE:
        return info
    if verdict is Verdict.GO:
        return None
    if verdict is Verdict.WAIT:
        busy = BusyError(f"{doing.operation.verb} has to wait: {doing.subject} is changing its state")
        raise _Wait(refusal if isinstance(refusal, BusyError) else busy)
    raise refuse_state(doing, info) from refusal


def _gave_up(doing: Doing, first: HvsdkError | None) -> HvsdkError:
    where = {"backend": doing.host.backend, "host": doing.host.url}
    if isinstance(first, BusyError):
        return first
    return OperationFailedError(
        f"{doing.operation.verb} of {doing.subject} was refused again and again, in a state that allows it: {first}",
        **where,
    )


def _call(
    doing: Doing,
    call: Callable[[Driver, Deadline], T | Task[T]],
    creates: bool,
    undo: Undo[T] | None,
    progress: Progress | None,
    cancel: Cancel | None,
) -> T:
    interrupted = None
    if creates:

        def interrupted(connection: Connection, running: _worker.Call[Any]) -> None:
            _undo_late(doing, connection, running, undo)

    connection, result = doing.door.change(doing.operation, call, doing.deadline, interrupted)
    made: T = result
    if isinstance(result, Task):
        made = finish(doing, connection, result, creates=creates, undo=undo, progress=progress, cancel=cancel)
    return made


def _undo_late(doing: Doing, connection: Connection, running: _worker.Call[Any], undo: Undo[Any] | None) -> None:
    """Ctrl-C came while something was being made: take its answer and undo it."""
    try:
        result = running.result(INTERRUPT_SECONDS)
    except (_worker.NoAnswerError, Exception):
        return  # nothing was made, or nothing can be known in time; KeyboardInterrupt goes on to the caller
    with contextlib.suppress(HvsdkError, NoAnswer):  # nothing may take the place of KeyboardInterrupt
        if isinstance(result, Task):
            stop(doing, connection, result, undo)
        elif undo is not None:
            remove(doing, undo, result)


def _after_silence(doing: Doing, silence: NoAnswer, reached: Callable[[DomainInfo], bool] | None) -> DomainInfo:
    """Look whether a call whose answer was lost was carried out."""
    cause = cause_of(silence)
    last_seen: PowerState | None = None
    seen = ""
    if not doing.door.reopens and isinstance(cause, ConnectionLostError):
        raise cause from cause.__cause__
    if doing.operation.native_id is not None and not doing.deadline.expired:
        try:
            info = _look_again(doing)
        except HvsdkError as exc:
            cause.add_note(f"hvsdk: reading the domain again failed too: {exc}")
            seen = "; it could not be read again"
        else:
            last_seen = info.power_state
            if reached is not None and reached(info):
                return info
            seen = f"; read again, it is {last_seen}"
    raise OutcomeUnknownError(
        f"{doing.operation.verb} of {doing.subject} got no answer: it may or may not have been carried out{seen}",
        last_seen=last_seen,
        backend=doing.host.backend,
        host=doing.host.url,
        hint="it was not repeated; look at the domain before you try again",
    ) from cause


def _look_again(doing: Doing) -> DomainInfo:
    """Read the domain after an answer was lost; what disturbed that may last a little longer."""
    bound = doing.deadline.sooner(LOOK_AGAIN_SECONDS)
    pauses = Pauses(bound)
    while True:
        try:
            return doing.look(CONFIG)
        except ConnectError as exc:
            if type(exc) not in (ConnectError, ConnectionLostError) or bound.remaining() < LAST_CHANCE_SECONDS:
                raise
        pauses.sleep()


def fresh(
    doing: Doing,
    info: DomainInfo | None,
    reached: Callable[[DomainInfo], bool],
    what: str,
    *,
    again: Callable[[], None] | None = None,
) -> DomainInfo:
    """Return a record with `config` loaded in which `reached` is true, reading again only where needed."""
    if info is not None and info.has("config") and reached(info):
        return info
    if info is None or not info.has("config"):
        info = doing.look(CONFIG, late=True)
        if reached(info):
            return info
    await_info(doing, STATE, reached, what, first=info, again=again)
    return doing.look(CONFIG, late=True)
