"""Operations that go on at the host after the request that began them has been answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hvsdk.driver import Task

from hvsdk_hyperv._refused import RefusedError

if TYPE_CHECKING:
    from hvsdk_hyperv._session import HyperVSession

__all__ = ["DoneTask", "LongOperation"]

T = TypeVar("T")


class DoneTask(Task[T]):
    """A task that is done."""

    def __init__(self, result: T) -> None:
        self._result = result

    def poll(self) -> tuple[bool, float | None, T | None]:
        return True, 1.0, self._result

    def wait(self, seconds: float) -> None:
        return


class LongOperation(Task[T]):
    """A pipeline that runs in a second runspace of the host's PowerShell."""

    def __init__(self, session: HyperVSession, shell: object, job: int, result: Callable[[Any], T]) -> None:
        self._session = session
        self._shell = shell
        self._job = job
        self._make = result
        self._news: dict[str, Any] | None = {"done": False, "share": None}
        self._over: tuple[T] | RefusedError | None = None

    def poll(self) -> tuple[bool, float | None, T | None]:
        if self._over is None:
            news, self._news = self._news, None
            if news is None:
                news = self._ask(0.0)
            if not news.get("done"):
                share = news.get("share")
                return False, float(share) if isinstance(share, (int, float)) else None, None
            error = news.get("error")
            self._over = RefusedError(error) if error is not None else (self._make(news.get("result")),)
        if isinstance(self._over, RefusedError):
            raise self._over
        return True, 1.0, self._over[0]

    def wait(self, seconds: float) -> None:
        if self._over is None:
            self._news = self._ask(min(seconds, 1.0))

    def cancel(self) -> None:
        if self._over is None:
            self._session.ask_after(self._shell, "job.cancel", self._job, deadline=self._session.soon())

    def _ask(self, seconds: float) -> dict[str, Any]:
        return self._session.ask_after(self._shell, "job.poll", self._job, seconds, deadline=self._session.soon())
