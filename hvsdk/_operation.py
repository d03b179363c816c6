"""One operation from permission to outcome: read-only check, capability, hooks, and what is told to them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from hvsdk import _context, _hook_calls
from hvsdk._deadline import Deadline
from hvsdk._door import NoAnswer, cause_of
from hvsdk._driver.base import Driver
from hvsdk._driver.operation import Operation
from hvsdk._names import READS
from hvsdk._refusal import say_what_was_refused
from hvsdk.capability import Capability
from hvsdk.errors import (
    CancelledError,
    DomainNotFoundError,
    GuestAgentError,
    HvsdkError,
    InvalidSpecError,
    OutcomeUnknownError,
    PermissionDeniedError,
    SnapshotNotFoundError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from hvsdk._door import Door
    from hvsdk._host import Host
    from hvsdk._outcome import Outcome
    from hvsdk.models import DomainInfo

__all__ = ["Doing", "operate"]

T = TypeVar("T")

GUARDED_READS = frozenset({"console", "open_disk", "native"})
"""They change nothing themselves, but hand out what can: hooks are asked, and `readonly` refuses them unless allowed."""

READ_ONLY = "the connection is read-only"
DEADLINE = "deadline= of connect"
WITHOUT_GUEST = {
    "shutdown": "shutdown(then='power_off') cuts the power of a guest that cannot be asked",
    "reboot": "reset() restarts without asking the guest",
}
"""What to do where no agent answers, by verb."""
LATE_SECONDS = 1.0
CONFIG = frozenset({"config"})
STATE: frozenset[str] = frozenset()


class Doing:
    """An operation under way: who, what, by when; and the calls that are made for it.

    Attributes:
        info: The domain's record as last seen in this operation, if it is about one.
    """

    __slots__ = ("deadline", "door", "host", "info", "operation")

    def __init__(self, host: Host, operation: Operation, deadline: Deadline, info: DomainInfo | None) -> None:
        self.host = host
        self.door: Door = host._door
        self.operation = operation
        self.deadline = deadline
        self.info = info

    @property
    def subject(self) -> str:
        """The words for the domain or host in messages."""
        return self.host._words(self.info)

    def read(
        self, call: Callable[[Driver, Deadline], T], deadline: Deadline | None = None, *, question: str | None = None
    ) -> T:
        """Make a call that changes nothing; `question` is what it asks, where that is not the operation itself."""
        return self.door.read(self.operation, call, deadline or self.deadline, question=question)

    def look(self, include: frozenset[str], *, late: bool = False) -> DomainInfo:
        """Read the domain's record again; with `late`, for what must be known at the end, also when time is up."""
        assert self.operation.native_id is not None
        native_id = self.operation.native_id
        deadline = self.deadline
        if late and deadline.remaining() < LATE_SECONDS:
            deadline = Deadline(min(LATE_SECONDS, self.door.timeout))
        question = f"the look at {self.subject} for {self.operation.verb}" if self.operation.changes else None
        try:
            self.info = info = self.read(
                lambda d, limit: d.get_domain(native_id, include, deadline=limit), deadline, question=question
            )
        except HvsdkError as exc:
            if late:
                exc.message += f"; {self.operation.verb} itself had been accepted before"
            raise
        return info


def new_operation(
    host: Host,
    verb: str,
    *,
    info: DomainInfo | None = None,
    arguments: Mapping[str, Any] | None = None,
    changes: bool = False,
    parent: str | None = None,
) -> Operation:
    """Return the record of something that is about to be asked."""
    return Operation(
        id=os.urandom(16).hex(),
        verb=verb,
        backend=host.backend,
        host=host.url,
        native_id=None if info is None else info.native_id,
        domain=None if info is None else info.name,
        domain_tags=info.tags if info is not None and "tags" in info.loaded else None,
        arguments=arguments or {},
        changes=changes,
        actor=_context.actor(),
        parent=parent,
        marks=_context.marks(),
    )


def check_allowed(host: Host, verb: str, *, changes: bool) -> None:
    """Raise `PermissionDeniedError` if the host is read-only and the verb is not allowed."""
    guarded = verb in GUARDED_READS
    if not host._readonly or (not changes and (not guarded or verb in host._allow)):
        return
    hint = (
        f"who opens the connection can permit it, with allow={{{verb!r}}}"
        if guarded
        else "leave out readonly=True, which is --readonly, or readonly = true in a fleet's file"
    )
    raise PermissionDeniedError(f"{verb} is refused: {READ_ONLY}", backend=host.backend, host=host.url, hint=hint)


def may(host: Host, capability: Capability) -> bool:
    """Return whether the connection may do it: a read-only one changes nothing, and shows only what it is allowed to."""
    return not host._readonly or (
        capability in READS and (capability not in GUARDED_READS or capability in host._allow)
    )


def check_seconds(name: str, value: Any) -> None:
    """Raise `InvalidSpecError` unless it is `None` or a number of seconds that is not negative."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InvalidSpecError(f"{name}= is a number of seconds, 0 or more, not {value!r}")


_INSTEAD = {
    Capability.PAUSE: (Capability.SUSPEND, "suspend() saves its memory and stops it, resume() lets it go on"),
    Capability.UNPAUSE: (Capability.RESUME, "resume() lets a suspended domain go on"),
}
"""What serves instead of a capability that is not there, where the host has it."""


def check_capability(host: Host, capability: Capability, info: DomainInfo | None = None) -> None:
    """Raise `UnsupportedError` with the reason if it is not there for this host or domain."""
    reason = host._why_not(capability, info)
    if reason is not None:
        other, hint = _INSTEAD.get(capability, (capability, ""))
        raise UnsupportedError(
            f"{capability} is not possible on {host._words(info)}: {reason}",
            capability=capability,
            backend=host.backend,
            host=host.url,
            hint=hint if hint and host.supports(other) else None,
        )


@contextmanager
def operate(
    host: Host,
    verb: str,
    *,
    needs: tuple[Capability, ...] = (),
    info: DomainInfo | None = None,
    arguments: Mapping[str, Any] | None = None,
    changes: bool = True,
    timeout: float | None = None,
    parent: str | None = None,
    also_ask: tuple[str, ...] = (),
) -> Iterator[Doing]:
    """Carry out what is in the `with` block as one operation.

    Args:
        needs: Capabilities without which it is refused.
        timeout: Seconds for all of it; the connection's own deadline holds too.
        also_ask: Further verbs that the before-hooks must allow, such as the power_off of a shutdown.
    """
    check_allowed(host, verb, changes=changes)
    check_seconds("timeout", timeout)
    deadline = Deadline(timeout, f"timeout= of {verb}").sooner(host._deadline_seconds, DEADLINE)
    host._door.open(deadline)
    for capability in needs:
        check_capability(host, capability, info)
    operation = new_operation(host, verb, info=info, arguments=arguments, changes=changes, parent=parent)
    doing = Doing(host, operation, deadline, info)
    if not (changes or verb in GUARDED_READS) or not _hook_calls.has_operation_hooks():
        with _plain_errors(doing):
            yield doing
        return
    for asked in (verb, *also_ask):
        part = operation
        if asked != verb:
            part = new_operation(host, asked, info=info, changes=changes, parent=operation.id)
        _hook_calls.before_operation(part)
    began = time.monotonic()
    error: BaseException | None = None
    try:
        with _plain_errors(doing):
            yield doing
    except BaseException as exc:
        error = exc
        raise
    finally:
        _hook_calls.after_operation(operation, _outcome(doing, error, time.monotonic() - began))


@contextmanager
def _plain_errors(doing: Doing) -> Iterator[None]:
    """Let nothing of the door's inner signals out: an unanswered call is an `OutcomeUnknownError` or its cause.

    A domain that is gone is named as it was last seen, and one that something is refused of: products often tell only
    their own key of it, or nothing.
    """
    try:
        yield
    except DomainNotFoundError as exc:
        name = doing.operation.domain
        if name is not None and repr(name) not in exc.message:
            exc.message = f"domain {name!r} is gone: {exc.message}"
        raise
    except SnapshotNotFoundError as exc:
        name = doing.operation.arguments.get("snapshot")
        if name is not None and repr(name) not in exc.message:
            exc.message = f"snapshot {name!r} of {doing.subject} is gone: {exc.message}"
        raise
    except GuestAgentError as exc:
        if doing.info is not None and repr(doing.info.name) not in exc.message:
            exc.message = f"{doing.operation.verb} of {doing.subject}: {exc.message}"
        exc.hint = exc.hint or WITHOUT_GUEST.get(doing.operation.verb)
        raise
    except NoAnswer as silence:
        cause = cause_of(silence)
        raise cause from cause.__cause__
    except HvsdkError as exc:
        say_what_was_refused(doing.operation, exc)
        raise


def _outcome(doing: Doing, error: BaseException | None, seconds: float) -> Outcome:
    from hvsdk._outcome import Outcome

    info = doing.info
    status = "ok" if error is None else "failed"
    if isinstance(error, OutcomeUnknownError):
        status = "unknown"
    elif isinstance(error, (CancelledError, KeyboardInterrupt)):
        status = "cancelled"
    return Outcome(
        status=status,  # type: ignore[arg-type]
        seconds=seconds,
        error=error if isinstance(error, HvsdkError) else None,
        error_type=None if error is None else type(error).__name__,
        native_id=None if info is None else info.native_id,
        power_state=None if info is None else info.power_state,
    )
