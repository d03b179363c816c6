"""The power verbs, each with the same meaning on every backend."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from hvsdk._deadline import Deadline
from hvsdk._door import NoAnswer
from hvsdk._driver.base import Driver, Result
from hvsdk._driver.task import Task
from hvsdk._operation import CONFIG, STATE, Doing, check_seconds, operate
from hvsdk._power import DISCARDING, RULES, Rule, Verdict
from hvsdk._verbs import Outcome, carry_out, fresh, refuse_state
from hvsdk._waiting import Pauses
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.errors import (
    BusyError,
    GuestAgentError,
    HvsdkError,
    InvalidSpecError,
    OperationTimeoutError,
    PermissionDeniedError,
    PowerStateError,
)

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._waiting import Cancel, Progress
    from hvsdk.models import DomainInfo

__all__ = ["check_fence", "power", "power_off", "shutdown"]

STARTING = frozenset({"start", "resume", "reset"})
"""Verbs after which a guest may end at once."""
INSISTING = frozenset({"power_off", "shutdown", "pause", "unpause"})
"""Verbs that are called again when somebody else undid them before they were seen to be true."""
ENDED = frozenset({PowerState.SHUTOFF, PowerState.CRASHED})
GRACE_SECONDS = 2.0
"""How long a start that left the domain shut off is watched, before it counts as a guest that ended at once."""
ANSWER_SECONDS = 1.0
"""With less time than this left a request is not repeated: its outcome would be unknown for nothing."""
REQUEST_SECONDS = (2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses between two requests to shut down; the last one is repeated."""
SETTLE_SECONDS = 2.0
"""How long the end of the last request's task is waited for."""


def power(
    domain: Domain,
    verb: str,
    *,
    timeout: float,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Carry out a power verb without arguments of its own."""
    rule = RULES[verb]
    with operate(domain.host, verb, needs=(Capability(verb),), info=domain.info, timeout=timeout) as doing:
        if verb in ("start", "resume"):
            check_fence(doing)
        native_id = domain.native_id
        domain._info = _bring(
            doing,
            lambda driver, limit: _method(driver, verb)(native_id, deadline=limit),
            rule,
            progress=progress,
            cancel=cancel,
        )


def _method(driver: Driver, verb: str) -> Callable[..., Result[DomainInfo | None]]:
    method: Callable[..., Result[DomainInfo | None]] = getattr(driver, verb)
    return method


def _bring(
    doing: Doing,
    call: Callable[[Driver, Deadline], Result[DomainInfo | None]],
    rule: Rule,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> DomainInfo:
    """Carry out a power verb and return the record in which its goal is reached."""
    verb = doing.operation.verb
    grace: Deadline | None = None

    def at_goal(info: DomainInfo) -> bool:
        return rule.goal is None or info.power_state is rule.goal

    def settled(info: DomainInfo) -> bool:
        ended = verb in STARTING and info.power_state in ENDED
        return at_goal(info) or (ended and grace is not None and grace.expired)

    def tell() -> Outcome[DomainInfo | None]:
        lost_answer = None if rule.goal is None or verb == "reset" else at_goal
        return carry_out(doing, call, rule=rule, power=True, reached=lost_answer, progress=progress, cancel=cancel)

    outcome = tell()
    grace = doing.deadline.sooner(GRACE_SECONDS)
    insist = _Insist(doing, rule, tell) if verb in INSISTING else None
    return _plain(fresh(doing, outcome.info or outcome.result, settled, str(rule.goal), again=insist))


class _Insist:
    """Calls a verb again whose goal was undone by somebody else right after it was reached."""

    def __init__(self, doing: Doing, rule: Rule, tell: Callable[[], object]) -> None:
        self._doing = doing
        self._rule = rule
        self._tell = tell
        self._seconds = 0.5
        self._next = time.monotonic() + self._seconds

    def __call__(self) -> None:
        info = self._doing.info
        if time.monotonic() >= self._next and info is not None and self._rule.judge(info.power_state) is Verdict.GO:
            self._tell()
            self._seconds *= 2
            self._next = time.monotonic() + self._seconds


def _plain(info: DomainInfo) -> DomainInfo:
    """Verbs leave the guest's facts not loaded: an address from before a reboot would be a lie."""
    return info.without("guest") if "addresses" in info.loaded or "agent" in info.loaded else info


def check_fence(doing: Doing) -> None:
    """Refuse what would run a fenced domain, where only hvsdk's own marker says so.

    Raises:
        PermissionDeniedError: It is fenced; the message has the reason that was given.
    """
    if Capability.FENCE in doing.host.capabilities or not doing.host.supports(Capability.FENCE_MARK):
        return
    info = doing.look(CONFIG)
    if info.fenced is not None:
        raise PermissionDeniedError(
            f"{doing.operation.verb} is refused: {doing.subject} is fenced ({info.fenced.reason})",
            backend=doing.host.backend,
            host=doing.host.url,
            hint="unfence() it when that no longer holds",
        )


def power_off(domain: Domain, *, discard_memory: bool, timeout: float, parent: str | None = None) -> None:
    """Cut the power."""
    rule = DISCARDING if discard_memory else RULES["power_off"]
    arguments = {"discard_memory": discard_memory}
    with operate(
        domain.host,
        "power_off",
        needs=(Capability.POWER_OFF,),
        info=domain.info,
        arguments=arguments,
        timeout=timeout,
        parent=parent,
    ) as doing:
        _cut(domain, doing, rule, discard_memory)


def _cut(domain: Domain, doing: Doing, rule: Rule, discard_memory: bool) -> None:
    native_id = domain.native_id
    domain._info = _bring(
        doing, lambda driver, limit: driver.power_off(native_id, discard_memory=discard_memory, deadline=limit), rule
    )


def shutdown(domain: Domain, *, timeout: float, then: Literal["fail", "power_off"]) -> None:
    """Ask the guest to switch off until it does."""
    if then not in ("fail", "power_off"):
        raise InvalidSpecError(f"then= is 'fail' or 'power_off', not {then!r}")
    check_seconds("timeout", timeout)
    cuts = then == "power_off"
    needs = (Capability.SHUTDOWN, Capability.POWER_OFF) if cuts else (Capability.SHUTDOWN,)
    also = ("power_off",) if cuts else ()
    arguments = {"then": then, "timeout": timeout}
    with operate(domain.host, "shutdown", needs=needs, info=domain.info, arguments=arguments, also_ask=also) as doing:
        whole, doing.deadline = doing.deadline, doing.deadline.sooner(timeout)
        try:
            info = _asked(domain, doing)
        except (PowerStateError, GuestAgentError, OperationTimeoutError) as exc:
            seen = doing.info
            if not cuts or seen is None or (isinstance(exc, PowerStateError) and not _cuttable(seen)):
                raise
            doing.deadline = whole.sooner(60.0)
            _cut(domain, doing, RULES["power_off"], False)
        else:
            domain._info = _plain(info)


def _cuttable(info: DomainInfo) -> bool:
    return info.power_state in (PowerState.PAUSED, PowerState.CRASHED)


class _Requests:
    """Requests to shut down, repeated while waiting: a guest that is booting misses the first."""

    def __init__(self, domain: Domain, doing: Doing) -> None:
        self._native_id = domain.native_id
        self._doing = doing
        self._task: Task[DomainInfo | None] | None = None
        self._sent = 0
        self._next = time.monotonic()
        self.silence: GuestAgentError | None = None
        """The last "tools are not running yet"."""

    def due(self) -> bool:
        """Return whether the next request should be made now; not when too little time is left for its answer."""
        if self._sent and self._doing.deadline.remaining() < ANSWER_SECONDS:
            return False
        return time.monotonic() >= self._next

    def send(self) -> DomainInfo | None:
        """Ask once (again); return the record when the domain was already off."""
        pause = REQUEST_SECONDS[min(self._sent, len(REQUEST_SECONDS) - 1)]
        self._sent += 1
        self._next = time.monotonic() + pause
        doing = self._doing

        def off(info: DomainInfo) -> bool:
            return info.power_state is PowerState.SHUTOFF

        try:
            outcome: Outcome[DomainInfo | None] = carry_out(
                doing, self._request, rule=RULES["shutdown"], power=True, reached=off
            )
        except GuestAgentError as exc:
            if not exc.not_yet:
                raise
            self.silence = exc
            self._next = min(self._next, time.monotonic() + 1.0)
            return None
        except BusyError:
            if self._sent == 1:
                raise
            return None  # the first request is still being worked on
        self.silence = None
        info = outcome.info or outcome.result
        return info if info is not None and off(info) else None

    def _request(self, driver: Driver, limit: Deadline) -> DomainInfo | None:
        """Make one request; one that the product works on as a task is cancelled before the next."""
        task, self._task = self._task, None
        if task is not None:
            done, _, info = task.poll()
            if done:
                return info
            task.cancel()
        result = driver.shutdown(self._native_id, deadline=limit)
        if isinstance(result, Task):
            self._task = result
            return None
        return result

    def settle(self, *, cancel: bool) -> None:
        """See the last request's task to its end, so that nothing of it stays at the product."""
        task, self._task = self._task, None
        if task is not None:
            with contextlib.suppress(HvsdkError, NoAnswer):  # the domain's state has answered already
                self._doing.read(lambda driver, limit: _end(task, cancel=cancel), Deadline(self._doing.door.timeout))


def _end(task: Task[DomainInfo | None], *, cancel: bool) -> None:
    pauses = Pauses(Deadline(SETTLE_SECONDS))
    done = task.poll()[0]
    if cancel and not done:
        task.cancel()
    while not done and (pause := pauses.next()) > 0:
        time.sleep(pause)
        done = task.poll()[0]


def _asked(domain: Domain, doing: Doing) -> DomainInfo:
    requests = _Requests(domain, doing)
    off = False
    try:
        info = _ask_until_off(doing, requests)
        off = True
        return info
    finally:
        requests.settle(cancel=not off)


def _ask_until_off(doing: Doing, requests: _Requests) -> DomainInfo:
    pauses = Pauses(doing.deadline)
    while True:
        if requests.due():
            info = requests.send()
            if info is not None:
                return fresh(doing, info, lambda now: now.power_state is PowerState.SHUTOFF, "shutoff")
        last = doing.deadline.expired
        info = doing.look(STATE, late=True)
        if info.power_state is PowerState.SHUTOFF:
            return doing.look(CONFIG, late=True)
        if RULES["shutdown"].judge(info.power_state) is Verdict.ERROR:
            raise refuse_state(doing, info)
        if last:
            raise requests.silence or OperationTimeoutError(
                f"{doing.subject} was asked to shut down and is still {info.power_state}",
                last_seen=info.power_state,
                backend=doing.host.backend,
                host=doing.host.url,
                hint="give it more timeout=, look at its console(), or shutdown(then='power_off')",
            )
        pauses.sleep()
