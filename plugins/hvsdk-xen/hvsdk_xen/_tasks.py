"""Tasks of XAPI's: waited for with events, read once per change, and taken away when they are over."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from xml.parsers.expat import ExpatError

import XenAPI
from hvsdk.driver import Deadline, Task, current_operation, errors

from hvsdk_xen._login import code_of
from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._values import as_float

if TYPE_CHECKING:
    from hvsdk_xen._session import XenSession

__all__ = ["CALL_MARK", "XenTask", "marks", "read_result"]

T = TypeVar("T")

_SHORTEST_WAIT = 0.25
"""Seconds of one wait at least: it ends with the task anyway, and shorter ones would only be more of them."""
_TOKEN_LOST = frozenset(("EVENTS_LOST", "EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENT_SUBSCRIPTION_PARSE_FAILURE"))
_HEADER = "X-Http-Other-Config-"
"""XAPI puts headers of this prefix into the `other_config` of the task that the request makes."""
_LONGEST_MARK = 200
CALL_MARK = "hvsdk-call"
"""Key of a task's `other_config` by which the one call is known that began it, should its answer be lost."""


def marks(call: str) -> dict[str, str]:
    """Return the headers that make the task of a call name the operation it is for, who asked, and why.

    Args:
        call: What no other call has.
    """
    operation = current_operation.get()
    told = {"call": call}
    if operation is not None and operation.id:
        told |= {"operation": operation.id, "verb": operation.verb, "actor": operation.actor or ""}
        told |= {name: value for name, value in operation.marks.items() if name not in told}
    return {
        f"{_HEADER}hvsdk-{quote(name.lower(), safe='')}": quote(str(value), safe=" /:@+,;=()\\")[:_LONGEST_MARK]
        for name, value in told.items()
        if value
    }


class XenTask(Task[T]):
    """A task of XAPI's, as `start_task` begins it."""

    def __init__(self, session: XenSession, ref: str, method: str, result: Callable[[Any], T] | None) -> None:
        self.ref = ref
        self._session = session
        self._method = method
        self._result = result
        self._record: dict[str, Any] | None = None
        self._token = ""
        self._end: tuple[T | None] | BaseException | None = None

    @property
    def can_wait(self) -> bool:
        return self._session.has_message("event.from")

    def wait(self, seconds: float) -> None:
        if self._end is None:
            self._watch(max(seconds, _SHORTEST_WAIT))

    def poll(self) -> tuple[bool, float | None, T | None]:
        if self._end is None:
            record = self._seen()
            if record.get("status") in ("pending", "cancelling"):
                return False, as_float(record.get("progress")), None
            self._finish(record)
        if isinstance(self._end, BaseException):
            raise self._end
        assert self._end is not None
        return True, 1.0, self._end[0]

    def cancel(self) -> None:
        if self._end is not None:
            return
        try:
            self._session.call("task.cancel", self.ref, deadline=self._soon())
        except XenAPI.Failure as exc:  # too late for it, or it is of a kind that ends by itself
            if code_of(exc) not in ("OPERATION_NOT_ALLOWED", "HANDLE_INVALID"):
                raise

    def discard(self) -> None:
        """Let it go: its record is taken away now, or when it ends.

        Should that fail, nothing else is changed by it; it is tried again when the host is closed.
        """
        try:
            self._session.call("task.destroy", self.ref, deadline=self._soon())
        except XenAPI.Failure as exc:
            if code_of(exc) != "HANDLE_INVALID":
                return
        except (OSError, HTTPException, AnswerError, errors.ConnectError):
            return
        self._session.forget_task(self.ref)

    def _soon(self, more: float = 0.0) -> Deadline:
        return Deadline(self._session.target.timeout + more)

    def _seen(self) -> dict[str, Any]:
        """Return the record that an event brought, or read it."""
        record, self._record = self._record, None
        if record is None and not self._token and self.can_wait:
            self._watch(0.0)
            record, self._record = self._record, None
        if record is None:
            try:
                record = self._session.call("task.get_record", self.ref, deadline=self._soon())
            except XenAPI.Failure as exc:
                if code_of(exc) == "HANDLE_INVALID":
                    raise self._gone() from exc
                raise
        assert record is not None
        return record

    def _watch(self, seconds: float) -> None:
        """Wait for an event of the task; the first one comes at once, and says how it is now."""
        try:
            found = self._session.call(
                "event.from", [f"task/{self.ref}"], self._token, float(seconds), deadline=self._soon(seconds)
            )
        except XenAPI.Failure as exc:
            if code_of(exc) not in _TOKEN_LOST:
                raise
            self._token = ""
            return
        self._token = str(found.get("token", ""))
        for event in found.get("events", ()):
            if event.get("ref") != self.ref:
                continue
            if event.get("operation") == "del":
                raise self._gone()
            self._record = event.get("snapshot") or self._record

    def _gone(self) -> errors.ConnectionLostError:
        self._session.forget_task(self.ref)
        return errors.ConnectionLostError(
            f"XAPI has forgotten the task of {self._method}: its toolstack was restarted, or somebody took it away"
        )

    def _finish(self, record: dict[str, Any]) -> None:
        """Take the task away, and keep what came of it."""
        self.discard()
        status = record.get("status")
        if status == "success":
            value = read_result(record.get("result"))
            self._end = (value if self._result is None else self._result(value),)
            return
        details = [str(detail) for detail in record.get("error_info") or ()]
        if status == "cancelled":
            details = details or ["TASK_CANCELLED", self.ref]
        if "HANDLE_INVALID" in details:
            self._session.forget_ref(details[-1])
        self._end = XenAPI.Failure(details or ["INTERNAL_ERROR", f"{self._method} failed without a reason"])


def read_result(text: Any) -> Any:
    """Return a task's result, which is XML-RPC's text of a value; `None` for none."""
    if not isinstance(text, str) or not text:
        return None
    if not text.startswith("<value"):
        return text
    try:
        values, _ = xmlrpc.client.loads(f"<params><param>{text}</param></params>")
    except (ExpatError, xmlrpc.client.Error, ValueError, LookupError):
        return text
    return values[0] if values and values[0] != "" else None
