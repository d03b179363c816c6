"""What keeps a fleet from asking again and again: one circuit for each host, one for each credential."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from hvsdk.errors import AuthenticationError, ConnectError, HvsdkError, NotTriedError, OperationTimeoutError

__all__ = ["CredentialCircuit", "HostCircuit", "LoginGate"]

T = TypeVar("T")

FAILURES = 3
"""Failures in a row after which a host is left alone for a while."""
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
REFUSALS = 2
"""Refusals in a row after which a credential is used no more: domain controllers lock accounts after a few."""

PROVEN_SECONDS = 30.0
"""How long any number of hosts may be logged in to after one has taken a credential."""


class HostCircuit:
    """Counts the failures of one host in a row. Safe to share between threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._last: HvsdkError | None = None

    def refusal(self) -> NotTriedError | None:
        """Return why the host is not to be asked now, or `None`: then one caller may try."""
        with self._lock:
            left = self._until - time.monotonic()
            if left <= 0:
                return None
            last = self._last
        assert last is not None
        said = f"{type(last).__name__.removesuffix('Error')}: {last.message}"
        return NotTriedError(
            f"{self._name} was not asked: it failed {self._failures} times in a row, last with {said}",
            retry_in=left,
            host=last.host,
            hint=f"it will be asked again in {left:.0f} s, and at once after fleet.retry({self._name!r})",
        )

    def note(self, error: BaseException | None) -> None:
        """Take in how a call ended. What is not about reaching the host shows that it can be reached."""
        with self._lock:
            if not _unreached(error):
                self._failures, self._until, self._last = 0, 0.0, None
                return
            assert isinstance(error, HvsdkError)
            self._failures += 1
            self._last = error
            if self._failures >= FAILURES:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - FAILURES))
                self._until = time.monotonic() + pause

    def close(self) -> None:
        """Let the host be asked again at once."""
        with self._lock:
            self._failures, self._until, self._last = 0, 0.0, None


def _unreached(error: BaseException | None) -> bool:
    if isinstance(error, NotTriedError):
        return False
    return isinstance(error, (ConnectError, OperationTimeoutError)) and not isinstance(error, AuthenticationError)


class CredentialCircuit:
    """Follows one credential over all hosts that it is for. Safe to share between threads.

    Unless a host has just taken it, two logins at most are under way with it that somebody waits for. After two refusals in a
    row there are none.
    """

    def __init__(self, words: str) -> None:
        self._words = words
        self._changed = threading.Condition()
        self._refusals = 0
        self._proven_until = 0.0
        self._trying: dict[object, str] = {}
        """The hosts at which a login is under way, by attempt."""
        self._reserved: set[str] = set()
        """The hosts that have a turn, and have not begun to log in."""
        self._given_up: Counter[str] = Counter()
        """How often nobody waited any more for a login, by host."""
        self._where = ""

    def reserve(self, name: str) -> bool:
        """Give a host a turn, unless others have to be waited for; `leave` takes it back.

        Who has a turn logs in without waiting; whoever waits for one has not been asked yet, and loses no time.
        """
        with self._changed:
            if name in self._reserved or self._refusals >= REFUSALS or time.monotonic() < self._proven_until:
                return True
            if not self._room():
                return False
            self._reserved.add(name)
            return True

    def leave(self, name: str) -> None:
        """Take in that nobody waits any more for a host: a login that is still under way there keeps no others from theirs."""
        with self._changed:
            self._reserved.discard(name)
            self._trying = {attempt: host for attempt, host in self._trying.items() if host != name}
            self._changed.notify_all()

    def give_up(self, name: str) -> None:
        """Take in that nobody waits for a login any more: one that has not had its turn yet is not made."""
        with self._changed:
            self._given_up[name] += 1
        self.leave(name)

    def through(self, name: str, login: Callable[[], T]) -> T:
        """Log in, as soon as others with the same credential leave room for it.

        Raises:
            NotTriedError: It has been refused too often, or nobody waits for it any more.
        """
        attempt = object()
        with self._changed:
            before = self._given_up[name]
            while self._refusals < REFUSALS and name not in self._reserved and not self._room():
                self._changed.wait()
                if self._given_up[name] != before:
                    raise NotTriedError(f"{name} was not tried: its turn to log in did not come while somebody waited")
            self._reserved.discard(name)
            refusal = self._refusal(name)
            if refusal is None:
                self._trying[attempt] = name
        if refusal is not None:
            raise refusal
        taken: bool | None = None
        try:
            result = login()
            taken = True
            return result
        except AuthenticationError:
            taken = False
            raise
        finally:
            self._ended(attempt, name, taken)

    def _room(self) -> bool:
        turns = len(self._trying) + len(self._reserved)
        return time.monotonic() < self._proven_until or turns + self._refusals < REFUSALS

    def _ended(self, attempt: object, name: str, taken: bool | None) -> None:
        with self._changed:
            self._trying.pop(attempt, None)
            if taken is False:
                self._refusals += 1
                self._proven_until = 0.0
                self._where = self._where or name
            elif taken:
                self._refusals, self._where = 0, ""
                self._proven_until = time.monotonic() + PROVEN_SECONDS
            self._changed.notify_all()

    def refusal(self, name: str) -> NotTriedError | None:
        """Return why a host is not to be logged in to with it, or `None`."""
        with self._changed:
            return self._refusal(name)

    def _refusal(self, name: str) -> NotTriedError | None:
        if self._refusals < REFUSALS:
            return None
        return NotTriedError(
            f"{name} was not tried: {self._words} was refused {REFUSALS} times, first by {self._where}",
            hint="more attempts may lock the account; call fleet.retry() once it is right",
        )

    def close(self) -> None:
        """Let it be tried again."""
        with self._changed:
            self._refusals, self._proven_until, self._where = 0, 0.0, ""
            self._changed.notify_all()


class LoginGate:
    """What a door asks before it logs in: the turns that one host gets from the circuit of its credential."""

    def __init__(self, credential: CredentialCircuit, name: str) -> None:
        self._credential = credential
        self._name = name

    def __call__(self, login: Callable[[], T], /) -> T:
        """Log in when it is this host's turn."""
        return self._credential.through(self._name, login)

    def give_up(self) -> None:
        """Leave the turn to others."""
        self._credential.give_up(self._name)
