"""Waiting: for tasks and for states. Nobody else in hvsdk loops over a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from hvsdk._deadline import Deadline
from hvsdk._door import NoAnswer
from hvsdk._driver.base import Driver
from hvsdk._driver.task import Task
from hvsdk.errors import CancelledError, HvsdkError, OperationTimeoutError

if TYPE_CHECKING:
    from hvsdk._door import Connection
    from hvsdk._operation import Doing
    from hvsdk.models import DomainInfo

__all__ = ["Cancel", "Pauses", "Progress", "Undo", "await_info", "finish", "remove", "stop"]

T = TypeVar("T")

Progress = Callable[[float | None], Any]
"""Called with the share that is done, 0.0 to 1.0, or `None` where the product does not tell."""


Undo: TypeAlias = Callable[[Driver, T, Deadline], Task[None] | None]
"""Removes what a verb made."""


class Cancel(Protocol):
    """Anything that says whether to stop, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Return whether the operation should be cancelled."""


NO_PROGRESS_SECONDS = 60.0
"""How long a task that reports progress may stand still."""
UNDO_SECONDS = 60.0
"""How long is waited for a cancelled task to end."""


class Pauses:
    """Pauses that grow from 20 ms to one second, cut to what is left of a deadline."""

    def __init__(self, deadline: Deadline, first: float = 0.02, longest: float = 1.0) -> None:
        self._deadline = deadline
        self._next = first
        self._longest = longest

    def next(self) -> float:
        """Return the next pause's length in seconds."""
        seconds, self._next = self._next, min(self._next * 1.6, self._longest)
        return min(seconds, self._deadline.remaining())

    def sleep(self, leave: float = 0.0) -> None:
        """Make the next pause, and leave so many seconds before the deadline."""
        time.sleep(max(0.0, min(self.next(), self._deadline.remaining() - leave)))


def finish(
    doing: Doing,
    connection: Connection,
    task: Task[T],
    *,
    creates: bool,
    undo: Undo[T] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> T:
    """Wait for a task and return its result.

    Cancelled, interrupted or out of time, a task that makes something is cancelled and its end awaited; others go on.

    Raises:
        NoAnswer: The connection was lost while it went on.
        CancelledError, OperationTimeoutError: As the caller wished; the message says what became of the task.
    """
    pauses = Pauses(doing.deadline)
    still = Deadline(NO_PROGRESS_SECONDS)
    seen: float | None = None
    asking = True
    try:
        while True:
            asking = True
            done, share, result = _poll(doing, connection, task, doing.deadline)
            asking = False  # what comes from here on is the caller's own: its callbacks, its time
            if done:
                made: T = result
                return made
            if share is not None and share != seen:
                seen, still = share, Deadline(NO_PROGRESS_SECONDS)
            if progress is not None:
                progress(share)
            if cancel is not None and cancel.is_set():
                raise CancelledError(f"{doing.operation.verb} of {doing.subject} was cancelled")
            stuck = seen is not None and still.expired
            if doing.deadline.expired or stuck:
                why = f"made no progress for {NO_PROGRESS_SECONDS:.0f} s" if stuck else "was not done in time"
                state = None if doing.info is None else doing.info.power_state
                hint = None if stuck or not doing.deadline.limit else f"{doing.deadline.limit} is what ran out"
                raise OperationTimeoutError(
                    f"{doing.operation.verb} of {doing.subject} {why}", last_seen=state, hint=hint
                )
            asking = True
            _pause(doing, connection, task, pauses)
    except BaseException as exc:
        own = not asking or isinstance(exc, (CancelledError, OperationTimeoutError))
        if not own and isinstance(exc, (HvsdkError, NoAnswer)):
            raise  # the task itself failed, or nothing can be said of it any more
        _say(exc, stop(doing, connection, task, undo) if creates else "; it goes on at the server")
        raise


def stop(doing: Doing, connection: Connection, task: Task[T], undo: Undo[T] | None = None) -> str:
    """Cancel a task, wait for its end and say in words what came of it.

    What was done before it could be cancelled is removed by `undo`.
    """
    deadline = Deadline(UNDO_SECONDS)
    pauses = Pauses(deadline)
    operation = doing.operation
    try:
        doing.door.on(connection, operation, lambda driver, limit: task.cancel(), deadline)
        while not deadline.expired:
            done, _, made = _poll(doing, connection, task, deadline)
            if done:
                return "; it had been done before it could be cancelled" + _removed(doing, undo, made)
            _pause(doing, connection, task, pauses)
    except CancelledError:
        return "; what it had made is removed"
    except (HvsdkError, NoAnswer) as exc:
        return f"; cancelling it ended with: {exc.__cause__ or exc}"
    return f"; it had not ended {UNDO_SECONDS:.0f} s after it was cancelled"


def _removed(doing: Doing, undo: Undo[Any] | None, made: Any) -> str:
    if undo is None:
        return ""
    try:
        remove(doing, undo, made)
    except (HvsdkError, NoAnswer) as exc:
        return f", and removing what it had made ended with: {exc.__cause__ or exc}"
    return ", and what it had made is removed"


def remove(doing: Doing, undo: Undo[T], made: T) -> None:
    """Remove what was made, and see that to its end."""
    deadline = Deadline(UNDO_SECONDS)
    connection, result = doing.door.change(doing.operation, lambda driver, limit: undo(driver, made, limit), deadline)
    if isinstance(result, Task):
        pauses = Pauses(deadline)
        while not _poll(doing, connection, result, deadline)[0]:
            if deadline.expired:
                raise OperationTimeoutError(f"it was not removed within {UNDO_SECONDS:.0f} s")
            _pause(doing, connection, result, pauses)


def _say(exc: BaseException, more: str) -> None:
    if isinstance(exc, HvsdkError):
        exc.message += more
    else:
        exc.add_note(f"hvsdk: the operation was interrupted{more}")


def _poll(doing: Doing, connection: Connection, task: Task[Any], deadline: Deadline) -> tuple[bool, float | None, Any]:
    # One more answer is worth having when the time is up: it may say "done".
    limit = Deadline(max(deadline.remaining(), min(1.0, doing.door.timeout)))
    return doing.door.on(connection, doing.operation, lambda driver, _: task.poll(), limit)


def _pause(doing: Doing, connection: Connection, task: Task[Any], pauses: Pauses) -> None:
    seconds = pauses.next()
    if task.can_wait:
        limit = Deadline(seconds + doing.door.timeout)
        doing.door.on(connection, doing.operation, lambda driver, _: task.wait(seconds), limit)
    else:
        time.sleep(seconds)


def await_info(
    doing: Doing,
    include: frozenset[str],
    reached: Callable[[DomainInfo], bool],
    what: str,
    *,
    first: DomainInfo | None = None,
    again: Callable[[], None] | None = None,
    requested: bool = True,
) -> DomainInfo:
    """Read the domain until `reached` says that it is as it should be, and return that record.

    Args:
        first: A record that was just read.
        again: Called between two readings, for requests that are repeated.
        requested: Whether the product was asked for it, so that it may still come.

    Raises:
        OperationTimeoutError: It was not so when the time ran out; `what` completes "… is not".
    """
    pauses = Pauses(doing.deadline)
    info = doing.look(include) if first is None else first
    while not reached(info):
        if doing.deadline.expired:
            raise OperationTimeoutError(
                f"{doing.subject} was not {what} in time; it is {info.power_state}",
                last_seen=info.power_state,
                backend=doing.host.backend,
                host=doing.host.url,
                hint=("the request stands: look again later; " if requested else "nothing was requested; ")
                + f"{doing.deadline.limit or 'its time'} is what ran out",
            )
        if again is not None:
            again()
        pauses.sleep()
        info = doing.look(
            include, late=True
        )  # the last look comes after the last pause, even when that used up the time
    return info
