"""Work on many hosts at once: so many at a time, each with a time limit of its own, and nobody waits for one that hangs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from hvsdk import _worker
from hvsdk._fleet.result import Answer
from hvsdk.errors import OperationTimeoutError

if TYPE_CHECKING:
    from hvsdk._fleet.member import Member

__all__ = ["FanOut", "Job"]

T = TypeVar("T")

GRACE_SECONDS = 0.5
"""What a host is given beyond its limit, so that its own error, which says more, can arrive."""
LOOK_AGAIN_SECONDS = 0.05
"""Pause before looking again whether a credential is free, when nothing else goes on."""


@attrs.frozen
class Job(Generic[T]):
    """What is to be done on one host.

    Attributes:
        here: Does it, on a thread of this process.
        there: A function and its arguments that do it in another process; both can be pickled.
        take: Makes the result of what `there` returned.
    """

    member: Member
    here: Callable[[], T]
    there: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
    take: Callable[[Any], T] | None = None


@attrs.define(eq=False)
class _Running(Generic[T]):
    job: Job[T]
    began: float
    until: float


class FanOut(Generic[T]):
    """One round over hosts.

    Args:
        jobs: At most one for each host.
        parallel: How many hosts are asked at once.
        seconds: The limit of each host by the clock on the wall, from when it is asked; `None` is none.
        executor: Where the work is done; threads of this process without one.
        progress: Called on the caller's thread with how many are done, how many there are, and the last answer.
    """

    def __init__(
        self,
        jobs: Sequence[Job[T]],
        *,
        parallel: int,
        seconds: float | None,
        executor: Executor | None = None,
        progress: Callable[[int, int, Answer[T]], object] | None = None,
    ) -> None:
        self._waiting = deque(jobs)
        self._total = len(jobs)
        self._order = {job.member.name: place for place, job in enumerate(jobs)}
        self._parallel = parallel
        self._seconds = seconds
        self._executor = executor
        self._progress = progress
        self._running: dict[int, _Running[T]] = {}
        self._ended: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()

    def all(self) -> list[Answer[T]]:
        """Return all answers, in the order of the jobs."""
        return sorted(self, key=lambda answer: self._order[answer.name])

    def __iter__(self) -> Iterator[Answer[T]]:
        """Yield the answers as they come; what is still going on when the caller stops reading is left to itself."""
        done = 0
        while self._waiting or self._running:
            for answer in self._step():
                done += 1
                if self._progress is not None:
                    self._progress(done, self._total, answer)
                yield answer

    def _step(self) -> Iterator[Answer[T]]:
        yield from self._begin()
        yield from self._late()
        try:
            key, value, error = self._ended.get(timeout=self._patience())
        except Empty:
            return
        running = self._running.pop(key, None)
        if running is not None:  # else it was given up before
            yield self._answer(running, value, error)

    def _patience(self) -> float:
        if not self._running:
            return LOOK_AGAIN_SECONDS if self._waiting else 0.0
        nearest = min(running.until for running in self._running.values())
        seconds = max(0.0, min(nearest - time.monotonic(), threading.TIMEOUT_MAX))
        waits_for_a_turn = self._waiting and len(self._running) < self._parallel
        return min(seconds, LOOK_AGAIN_SECONDS) if waits_for_a_turn else seconds

    def _is_here(self, job: Job[T]) -> bool:
        """Whether this process itself asks the host, and logs in to it."""
        return self._executor is None or job.there is None

    def _begin(self) -> Iterator[Answer[T]]:
        """Start as many as may run; those that are not to be asked are answered at once."""
        for _ in range(len(self._waiting)):
            if len(self._running) >= self._parallel:
                return
            job = self._waiting.popleft()
            refusal = job.member.refusal()
            if refusal is not None:
                yield Answer(name=job.member.name, url=job.member.url, error=refusal)
            elif self._is_here(job) and not job.member.may_begin():
                self._waiting.append(job)
            else:
                self._start(job)

    def _start(self, job: Job[T]) -> None:
        now = time.monotonic()
        limit = job.member.seconds if job.member.seconds is not None else self._seconds
        running = _Running(job, now, float("inf") if limit is None else now + limit + GRACE_SECONDS)
        key = id(running)
        self._running[key] = running
        if self._executor is None or job.there is None:
            self._start_here(key, job)
        else:
            function, arguments = job.there
            future = self._executor.submit(function, *arguments)
            future.add_done_callback(lambda future: self._landed(key, future))

    def _start_here(self, key: int, job: Job[T]) -> None:
        def work() -> None:
            try:
                value = job.here()
            except BaseException as exc:  # handed to whoever reads the answers
                self._ended.put((key, None, exc))
            else:
                self._ended.put((key, value, None))

        _worker.submit(work)

    def _landed(self, key: int, future: Future[Any]) -> None:
        if future.cancelled():
            self._ended.put((key, None, OperationTimeoutError("the executor has cancelled the work")))
            return
        self._ended.put((key, None, error) if (error := future.exception()) else (key, future.result(), None))

    def _late(self) -> Iterator[Answer[T]]:
        """Give up those whose time is over; what becomes of them is nobody's concern any more."""
        now = time.monotonic()
        for key, running in list(self._running.items()):
            if running.until <= now:
                del self._running[key]
                seconds = now - running.began
                url = running.job.member.url
                yield self._answer(
                    running, None, OperationTimeoutError(f"no answer from {url} within {seconds:.1f} s", host=url)
                )

    def _answer(self, running: _Running[T], value: Any, error: BaseException | None) -> Answer[T]:
        job = running.job
        seconds = time.monotonic() - running.began
        if error is None and job.take is not None and self._executor is not None and job.there is not None:
            value = job.take(value)
        job.member.note(error)
        if error is not None and not isinstance(error, Exception):
            raise error  # somebody wants this program to end
        return Answer(name=job.member.name, url=job.member.url, value=value, error=error, seconds=seconds)
