"""vCenter's REST service, which has what the vSphere API has not: tags. It has sessions of its own.

Both of its dialects are spoken: `/rest` of 6.5 and later, and `/api` of 7.0 and later, which is what is left in the newest.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote

import attrs
from hvsdk.connections import Pool
from hvsdk.driver import Deadline, PasswordCredentials, errors, without_frames

from hvsdk_vmware._answer import AnswerError, read_body
from hvsdk_vmware._stub import AGENT

__all__ = ["Rest", "RestAbsentError", "RestRefusedError", "messages_of"]

_HEADER = "vmware-api-session-id"
_LONGEST_TEXT = 300
_BROKEN = (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead)
_ERRORS: Mapping[str, type[errors.HvsdkError]] = {
    "already_exists": errors.AlreadyExistsError,
    "not_found": errors.NotFoundError,
    "unauthorized": errors.PermissionDeniedError,
    "unauthenticated": errors.PermissionDeniedError,
    "invalid_argument": errors.InvalidSpecError,
    "unsupported": errors.UnsupportedError,
    "resource_busy": errors.BusyError,
    "resource_in_use": errors.BusyError,
    "concurrent_change": errors.BusyError,
}
_BY_STATUS = {401: "unauthenticated", 403: "unauthorized", 404: "not_found"}


class RestAbsentError(Exception):
    """The server has no such service, or does not let this user in: said once, it is not asked again."""


class RestRefusedError(RestAbsentError):
    """The server has the service, but does not let this user in."""


@attrs.frozen
class _Dialect:
    """How requests are written."""

    session: str
    base: str
    action: str
    wraps: bool
    """Whether arguments and answers lie in an object of their own."""
    id_mark: str

    def path(self, *parts: str, action: str = "") -> str:
        """Return the path of a collection, or of one member: `path("tag", id, action="attach")`."""
        first, *ids = parts
        path = "/".join([self.base + first, *(self.id_mark + quote(one, safe=":") for one in ids)])
        return f"{path}?{self.action}={action}" if action else path


_DIALECTS = (
    _Dialect("/rest/com/vmware/cis/session", "/rest/com/vmware/cis/tagging/", "~action", True, "id:"),
    _Dialect("/api/session", "/api/cis/tagging/", "action", False, ""),
)


class Rest:
    """Calls of the tagging service; the session is begun with the first one, and renewed once when it has expired."""

    def __init__(self, pool: Pool, credentials: Callable[[], PasswordCredentials]) -> None:
        self._pool = pool
        self._credentials = credentials
        self._lock = threading.Lock()
        self._dialect: _Dialect | None = None
        self._session: str | None = None
        self._absent: RestAbsentError | None = None
        self._refused: int | None = None
        self._closed = False

    def get(self, *parts: str, deadline: Deadline) -> Any:
        """Read a collection or a member."""
        return self._call("GET", parts, "", None, deadline)

    def post(self, *parts: str, action: str, body: Mapping[str, Any], deadline: Deadline) -> Any:
        """Call an action; those that are used here change nothing when they are repeated."""
        return self._call("POST", parts, action, body, deadline)

    def create(self, part: str, spec: Mapping[str, Any], *, deadline: Deadline) -> str:
        """Make a member of a collection, and return its id.

        Raises:
            AlreadyExistsError: There is one; it may be this call's, should the connection have broken.
        """
        return str(self._call("POST", (part,), "", spec, deadline))

    def tags_of_category(self, category: str, *, deadline: Deadline) -> list[str]:
        """Return the ids of a category's tags."""
        wraps = self._enter(deadline, None)[0].wraps
        parts = ("tag", category) if wraps else ("tag",)
        told = self._call("POST", parts, "list-tags-for-category", {"category_id": category}, deadline)
        return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []

    def available(self, deadline: Deadline) -> bool:
        """Whether the service is there, and lets this user in."""
        try:
            self._enter(deadline, None)
        except RestAbsentError:
            return False
        return True

    def close(self, deadline: Deadline) -> None:
        """End the session, as far as the server listens; none is begun any more."""
        self._closed = True
        session, self._session = self._session, None
        dialect = self._dialect
        if session is None or dialect is None:
            return
        try:
            self._exchange("DELETE", dialect.session, b"", {_HEADER: session}, deadline, again=False)
        except (OSError, http.client.HTTPException, AnswerError):
            return

    def forget(self) -> None:
        """Leave the session to the process that began it."""
        self._lock = threading.Lock()
        self._session = None

    # ---- inside ------------------------------------------------------------------------------------------

    def _call(self, method: str, parts: tuple[str, ...], action: str, body: Any, deadline: Deadline) -> Any:
        session: str | None = None
        for last in (False, True):
            dialect, session = self._enter(deadline, session)
            path = dialect.path(*parts, action=action)
            content = {"create_spec": body} if method == "POST" and not action and dialect.wraps else body
            text = json.dumps(content).encode() if content is not None else b""
            status, answer = self._exchange(method, path, text, {_HEADER: session}, deadline)
            if status == 401 and not last:
                continue
            if status >= 300:
                raise _error_of(status, answer)
            found = _json(answer)
            return found.get("value") if dialect.wraps and isinstance(found, dict) else found
        raise AssertionError("unreachable")

    def _enter(self, deadline: Deadline, ended: str | None) -> tuple[_Dialect, str]:
        """Return the session there is; begin one where there is none, or none but the one that has ended."""
        with self._lock:
            if self._absent is not None:
                raise type(self._absent)(str(self._absent))
            self._check_open(deadline)
            if self._session is None or self._session == ended:
                self._session = None
                self._log_in(deadline)
                self._check_open(deadline)
            assert self._dialect is not None
            assert self._session is not None
            return self._dialect, self._session

    def _check_open(self, deadline: Deadline) -> None:
        """Raise if it was closed, and end the session that was begun meanwhile."""
        if self._closed:
            self.close(deadline)
            raise errors.ConnectionLostError("the connection was closed")

    def _log_in(self, deadline: Deadline) -> None:
        who = self._credentials()
        if hash(who) == self._refused:
            raise errors.AuthenticationError(
                "the REST session has ended, and the password was refused when it was renewed",
                hint="connect anew with the right one",
            )
        for dialect in _DIALECTS if self._dialect is None else (self._dialect,):
            status, answer = self._ask_session(dialect, who, deadline)
            if status in (401, 403):
                self._refuse(status, who)
            if status in (404, 405) and self._dialect is None:
                continue
            if status >= 300:
                raise _error_of(status, answer)
            found = _json(answer)
            session = found.get("value") if isinstance(found, dict) else found
            if not isinstance(session, str) or not session.isascii() or not session.isprintable():
                raise AnswerError("the REST service answered the login without a session")
            self._dialect, self._session = dialect, session
            return
        self._absent = RestAbsentError("the server has no REST service")
        raise self._absent

    def _refuse(self, status: int, who: PasswordCredentials) -> NoReturn:
        """Remember that the login was refused: repeated for each call, that locks accounts."""
        if self._dialect is None:
            self._absent = RestRefusedError(f"vCenter's REST service refuses the login ({status})")
            raise self._absent
        self._refused = hash(who)
        raise errors.AuthenticationError(f"the REST session has ended, and the login is refused now ({status})")

    def _ask_session(self, dialect: _Dialect, who: PasswordCredentials, deadline: Deadline) -> tuple[int, bytes]:
        """Log in; what fails has no frame in its traceback whose variables show the password."""
        try:
            return self._exchange("POST", dialect.session, b"", {"Authorization": _basic(who)}, deadline, again=False)
        except Exception as exc:
            raise without_frames(exc)  # noqa: B904

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: Deadline, *, again: bool = True
    ) -> tuple[int, bytes]:
        wanted = {"User-Agent": AGENT, "Accept": "application/json", "Accept-Encoding": "identity", **headers}
        if body:
            wanted["Content-Type"] = "application/json"
        for fresh in (False, True):
            with self._pool.lend(deadline, fresh=fresh) as connection:
                connection.begin()
                try:
                    connection.request(method, path, body, wanted)
                    response = connection.getresponse()
                    return response.status, read_body(response)
                except _BROKEN:
                    if fresh or not again:
                        raise
                    connection.close()
        raise AssertionError("unreachable")


def _basic(who: PasswordCredentials) -> str:
    return "Basic " + base64.b64encode(f"{who.username or ''}:{who.password}".encode()).decode("ascii")


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer.strip() else None
    except (ValueError, RecursionError) as exc:
        raise AnswerError("the REST service's answer is no JSON") from exc


def _error_of(status: int, answer: bytes) -> errors.HvsdkError:
    """Return hvsdk's error for an answer of the service."""
    try:
        told = _json(answer)
    except AnswerError:
        told = None
    told = told if isinstance(told, dict) else {}
    inside = told.get("value") if isinstance(told.get("value"), dict) else told
    kind = str(told.get("type") or told.get("error_type") or "").rpartition(".")[2].lower()
    kind = kind if kind in _ERRORS else _BY_STATUS.get(status, kind)
    words = messages_of(inside.get("messages") if isinstance(inside, dict) else None)
    text = f"vCenter's REST service answered {status}" + (f" {kind}" if kind else "") + (f": {words}" if words else "")
    return _ERRORS.get(kind, errors.OperationFailedError)(text, native_code=kind or status)


def messages_of(told: Any) -> str:
    """Return the texts of a list of messages."""
    found = [one.get("default_message") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return "; ".join(one for one in found if isinstance(one, str))[:_LONGEST_TEXT]
