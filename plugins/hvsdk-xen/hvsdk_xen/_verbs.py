"""What the verbs share: time for a step after the first, and tasks that outlive their verb."""

from __future__ import annotations

import threading
from http.client import HTTPException
from typing import Any

import XenAPI
from hvsdk.driver import Deadline, Target, Task, errors

from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._session import XenSession

__all__ = ["FAILURES", "VerbSession"]

FAILURES = (XenAPI.Failure, AnswerError, HTTPException, OSError, errors.HvsdkError)
"""All that a call may raise, for the steps that undo others."""


class VerbSession(XenSession):
    """A session that verbs are carried out on."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._left: list[Task[Any]] = []
        self._left_lock = threading.Lock()

    def soon(self) -> Deadline:
        """Return the time for one more call: a verb's own was for the first, and a task may have taken hours."""
        return Deadline(self.target.timeout)

    def leave_behind(self, task: Task[Any]) -> None:
        """Let a task go on without anybody waiting; its record goes with the next one left, or when the host closes."""
        self._clear_away()
        with self._left_lock:
            self._left.append(task)

    def _clear_away(self) -> None:
        with self._left_lock:
            left, self._left = self._left, []
        for task in left:
            if not _has_ended(task):
                with self._left_lock:
                    self._left.append(task)


def _has_ended(task: Task[Any]) -> bool:
    try:
        return task.poll()[0]
    except FAILURES:  # what became of it was nobody's question
        return True
