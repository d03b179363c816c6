"""What pyvmomi's objects send their calls through: our connections, time limits, session and operation ids.

pyvmomi's own adapter has no limit for a whole call, forgets pins (its context is switched to no verification), drops the
connections of all threads when one breaks, and sends changing calls again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import BadStatusLine, HTTPException, IncompleteRead
from http.cookies import CookieError, SimpleCookie
from importlib.metadata import version
from typing import Any
from xml.parsers.expat import ExpatError

from hvsdk.connections import Pool
from hvsdk.driver import Deadline, current_operation, errors
from pyVmomi import vim, vmodl
from pyVmomi.SoapAdapter import SoapResponseDeserializer, SoapStubAdapterBase
from pyVmomi.VmomiSupport import DataObject, ManagedObject

from hvsdk_vmware._answer import Answer, AnswerError, exchange
from hvsdk_vmware._asked import pending

__all__ = ["AGENT", "BASELINE", "COOKIE", "Stub", "may_repeat", "notable", "within"]

AGENT = f"hvsdk/{version('hvsdk')}"
"""The name that the server's session list has for this client."""
BASELINE = "vim.version.version11"
"""6.5, the oldest version that is spoken; what the server speaks beyond it is asked at the first call."""
COOKIE = "vmware_soap_session"

_PATH = "/sdk"
_LONGEST_CALL = 32 << 20
_LONGEST_ID = 200
_OUTSIDE_SESSIONS = frozenset(("Login", "Logout", "RetrieveServiceContent"))
_ENDS = frozenset(
    ("Logout", "CancelTask", "CancelWaitForUpdates", "CancelRetrievePropertiesEx", "CurrentTime", "Fetch")
)
_READS = ("Retrieve", "Find", "Query", "WaitForUpdates", "Destroy")
_LARGE = ("Retrieve", "ContinueRetrieve", "QueryPerf")
"""Their answers are worth compressing."""
_CHANGES_AFTER_ALL = frozenset(("Destroy_Task",))
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ID = re.compile(r"[^<>&\x00-\x1f\x7f]{0,1000}")
"""Hosts have ids with names in them, such as `HaNetwork-VM Network`."""
_SESSION = re.compile(r"[\w:.+/=-]{1,1000}", re.ASCII)
_PLAIN = re.compile(r"[^\w.@:+=/-]+", re.ASCII)
_NOT_SHOWN = re.compile(rb'<(?:\w+:)?fault [^<>]*type="(?:\w+:)?NotAuthenticated"')
_limit: ContextVar[Deadline | None] = ContextVar("hvsdk_vmware_limit", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Bound all calls inside by a deadline, those that an attribute of one of pyvmomi's objects makes among them."""
    token = _limit.set(deadline)
    try:
        yield
    finally:
        _limit.reset(token)


def notable(fault: Exception) -> Exception:
    """Return a fault of pyvmomi's that takes notes: as it comes, `add_note` fails on it."""
    object.__setattr__(fault, "__notes__", [])
    return fault


def may_repeat(method: str) -> bool:
    """Whether a call may be sent again: it changes nothing, or what it does cannot be done twice."""
    return (method in _ENDS or method.startswith(_READS)) and method not in _CHANGES_AFTER_ALL


class Stub(SoapStubAdapterBase):
    """Sends calls in one session; a session that has expired is renewed once for all threads, by `renew`."""

    def __init__(self, pool: Pool, seconds: float) -> None:
        super().__init__(version=BASELINE)  # type: ignore[no-untyped-call]
        self.pool = pool
        self.generation = 0
        self.renew: Callable[[int, Deadline], None] | None = None
        self._seconds = seconds
        self.session: str | None = None
        self.used_at = time.monotonic()

    def __deepcopy__(self, memo: Any) -> Stub:
        return self  # copies of pyvmomi's objects stay on this connection

    @property
    def requestContext(self) -> dict[str, str]:
        """What the SOAP header holds: the operation's id, which the server's log has then."""
        return {"operationID": _operation_id()}

    @property
    def cookie(self) -> str:
        """The session as a `Cookie` header has it, for what is read outside of the API; a secret."""
        return f'{COOKIE}="{self.session}"' if self.session else ""

    # ---- calls -------------------------------------------------------------------------------------------

    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:
        """Make a call of one of pyvmomi's objects.

        Raises:
            BusyError: The domain asks something, which is told.
        """
        answer = self.send(info.wsdlName, self.write(mo, info, args), info.result)
        try:
            return self.decode(answer, info.result)
        except vim.fault.QuestionPending as exc:
            question = self._question_of(mo)
            if question is None:
                raise
            raise pending(question) from exc

    def _question_of(self, mo: Any) -> Any:
        """Return what a domain asks, `None` when that is not to be found out; the fault does not tell the choices."""
        if not isinstance(mo, vim.VirtualMachine):
            return None
        with suppress(vmodl.MethodFault, AnswerError, HTTPException, OSError, errors.HvsdkError):
            return mo.runtime.question
        return None

    def write(self, mo: Any, info: Any, args: Any) -> bytes:
        """Write a call.

        Raises:
            InvalidSpecError: It holds what XML cannot, or too much.
            ManagedObjectNotFound: An object's id is none: pyvmomi writes ids as they are, markup too.
            MethodNotFound: The server is too old to have it.
        """
        try:
            _check_texts((mo, args))
            body: bytes = self.SerializeRequest(mo, info, args)  # type: ignore[no-untyped-call]
        except vmodl.MethodFault as exc:
            raise notable(exc) from None
        if len(body) > _LONGEST_CALL:
            raise errors.InvalidSpecError(f"{info.wsdlName} has more than {_LONGEST_CALL >> 20} MiB of arguments")
        return body.replace(b"\r", b"&#13;")  # XML readers make a line feed of it else

    def send(self, method: str, body: bytes, result: Any = object, *, again: bool = True) -> Answer:
        """Send a call that is written, and return its answer; a fault only when it is no expired session.

        Args:
            again: Whether it may be sent again when the connection breaks, as far as `may_repeat` knows.
        """
        deadline = _limit.get() or Deadline(self._seconds)
        generation = self.generation
        answer = self._exchange(method, body, deadline, again)
        if self.renew is None or method in _OUTSIDE_SESSIONS or not self._says_expired(answer, result):
            return answer
        self.renew(generation, deadline)
        return self._exchange(method, body, deadline, again)

    def _says_expired(self, answer: Answer, result: Any) -> bool:
        """Whether the session has ended: reads of properties go on without one then, and say so for each property."""
        if b"NotAuthenticated" not in answer.body:
            return False
        if not answer.is_fault:
            return _NOT_SHOWN.search(answer.body) is not None
        return isinstance(self._decode(answer, result), vim.fault.NotAuthenticated)

    def _exchange(self, method: str, body: bytes, deadline: Deadline, again: bool) -> Answer:
        self.used_at = time.monotonic()
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": self.versionId,
            "User-Agent": AGENT,
            "Accept-Encoding": "gzip" if method.startswith(_LARGE) else "identity",
        }
        if self.session and method != "Login":
            headers["Cookie"] = self.cookie
        for fresh in (False, True):
            with self.pool.lend(deadline, fresh=fresh) as connection:
                connection.begin()
                try:
                    answer = exchange(connection, _PATH, body, headers)
                except (ConnectionError, BadStatusLine, IncompleteRead):
                    if fresh or not again or not may_repeat(method):
                        raise
                    connection.close()
                    continue
            if method == "Login" and not answer.is_fault:
                self.session = _session_of(answer)
                self.generation += 1
            return answer
        raise AssertionError("unreachable")

    def decode(self, answer: Answer, result: Any) -> Any:
        """Return what an answer holds.

        Raises:
            vmodl.MethodFault: It says that the call failed.
            AnswerError: It is none.
        """
        found = self._decode(answer, result)
        if not answer.is_fault:
            return found
        if isinstance(found, Exception):
            raise notable(found)
        raise AnswerError("the server's fault is none of the API's", answer.status)

    def _decode(self, answer: Answer, result: Any) -> Any:
        try:
            return SoapResponseDeserializer(self).Deserialize(answer.body, result)
        except (ExpatError, ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError) as exc:
            raise AnswerError("the server's answer cannot be read") from exc


def _session_of(answer: Answer) -> str:
    """Return the session that an answer to a login brings."""
    for text in answer.cookies:
        try:
            found = SimpleCookie(text).get(COOKIE)
        except CookieError:
            continue
        if found is not None and _SESSION.fullmatch(found.value):
            return found.value
    raise AnswerError("the server answered the login without a session")


def _operation_id() -> str:
    """Return the operation that is under way, who asked for it and why, as one word."""
    operation = current_operation.get()
    if operation is None or not operation.id:
        return "hvsdk"
    told = ("hvsdk", operation.id, operation.verb, operation.actor, *operation.marks.values())
    return "-".join(_PLAIN.sub("_", str(word)) for word in told if word)[:_LONGEST_ID]


def _check_texts(value: Any) -> None:
    """Refuse a text that XML cannot hold, and an id that is none, however deep in an object they are."""
    if isinstance(value, ManagedObject):
        if not _ID.fullmatch(value._moId):
            raise vmodl.fault.ManagedObjectNotFound(obj=value, msg="that is no id")
    elif isinstance(value, str):
        if _NOT_IN_XML.search(value):
            raise errors.InvalidSpecError(
                "vSphere keeps no text with control characters or half a surrogate pair in it"
            )
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_texts(item)
    elif isinstance(value, DataObject):
        _check_texts(list(vars(value).values()))
