"""Logging in: the master is found, and what a session over this connection needs to know of the pool."""

from __future__ import annotations

import http.client
import re
from collections import deque
from importlib.metadata import version
from typing import Any

import attrs
import XenAPI
from hvsdk.connections import Endpoint
from hvsdk.driver import Deadline, PasswordCredentials, Target, errors

from hvsdk_xen._member_connections import MemberConnections
from hvsdk_xen._members import Members
from hvsdk_xen._no_entry import why_nobody, wrong_certificate
from hvsdk_xen._rpc import JSON, XML, AnswerError, RpcFormat, exchange

__all__ = ["AGENT", "Login", "code_of", "credentials_of", "log_in", "may_repeat", "request"]

AGENT = f"hvsdk/{version('hvsdk')}"
"""The name that the pool's logs and session records have for this client."""
_ELSEWHERE = frozenset(
    (
        *("HOST_STILL_BOOTING", "HOST_IN_EMERGENCY_MODE", "HOST_OFFLINE", "HOST_NOT_LIVE", "CANNOT_CONTACT_HOST"),
        *("HOST_HAS_NO_MANAGEMENT_IP", "HOST_MASTER_CANNOT_TALK_BACK", "HOST_UNKNOWN_TO_MASTER"),
    )
)
"""Codes with which a member says that it cannot log anybody in; another member may."""
_HOPS = 4
_ENDS = frozenset(("event.from", "session.logout", "task.cancel", "task.destroy"))
_LONGEST_CALL = 300 << 10
_LOGIN = "session.login_with_password"
_SESSION = re.compile(r"[\w:.+/=-]{1,1000}", re.ASCII)
"""A session's key, as it can be put into a cookie."""


@attrs.frozen
class Login:
    """A session, and where it is."""

    endpoint: Endpoint
    session: str = attrs.field(repr=False)
    form: RpcFormat


def code_of(exc: XenAPI.Failure) -> str:
    """Return XAPI's own code of an error."""
    return str(exc.details[0]) if exc.details else ""


def log_in(target: Target, members: Members, connections: MemberConnections, deadline: Deadline) -> Login:
    """Log in at the master, whichever member is asked first.

    Each member's certificate is checked before anything is sent to it. A refused password is tried nowhere else.

    Raises:
        AuthenticationError: There is no password.
        CertificateError: A member's certificate is not accepted.
        ConnectError: No member of the pool answers.
    """
    who = credentials_of(target)
    queue = deque(members.candidates())
    tried: dict[Endpoint, Exception] = {}
    sent_to: dict[Endpoint, str] = {}
    while queue:
        endpoint = queue.popleft()
        if endpoint in tried:
            continue
        limit = deadline.sooner(deadline.remaining() / 2) if queue else deadline
        try:
            login = _at(endpoint, target, members, connections, who, limit)
        except XenAPI.Failure as exc:
            tried[endpoint] = exc
            if code_of(exc) == "HOST_IS_SLAVE" and len(exc.details) > 1 and len(sent_to) < _HOPS:
                address = str(exc.details[1])
                master = members.reach(address)
                sent_to.setdefault(master, address)
                queue.appendleft(master)
            elif code_of(exc) not in _ELSEWHERE:
                raise
        except errors.CertificateError as exc:
            tried[endpoint] = wrong_certificate(exc, endpoint, sent_to.get(endpoint), target.tls.pins)
        except (OSError, http.client.HTTPException, AnswerError, errors.ConnectError) as exc:
            tried[endpoint] = exc
        else:
            members.prefer(login.endpoint)
            return login
    raise why_nobody(tried, sent_to)


def credentials_of(target: Target) -> PasswordCredentials:
    """Return the user's name and password as they are now.

    Raises:
        AuthenticationError: There are none.
    """
    found = target.credentials("password")
    if not isinstance(found, PasswordCredentials):
        raise errors.AuthenticationError(
            "XAPI wants a password, and none was given", hint="connect(…, password=…), HVSDK_XEN_PASSWORD, or --ask"
        )
    return attrs.evolve(found, username=found.username or target.username or "root")


def _at(
    endpoint: Endpoint,
    target: Target,
    members: Members,
    connections: MemberConnections,
    who: PasswordCredentials,
    deadline: Deadline,
) -> Login:
    """Log in at one member; what fails has no frame in its traceback whose variables show the password."""
    wanted = target.options.get("rpc", "auto")
    forms = {"json": (JSON,), "xml": (XML,)}.get(wanted, (JSON, XML))
    for last, form in enumerate(forms, start=1):
        try:
            session = request(
                connections, members, endpoint, form, _LOGIN, (who.username, who.password, "1.0", AGENT), deadline
            )
        except AnswerError as exc:
            if last == len(forms):
                raise exc.with_traceback(None) from None
            continue  # servers of the time before JSON-RPC answer in various ways
        except Exception as exc:
            raise exc.with_traceback(None)  # noqa: B904
        if not isinstance(session, str) or not _SESSION.fullmatch(session):
            raise AnswerError("the server answered the login without a session")
        return Login(endpoint, session, form)
    raise AssertionError("unreachable")


def request(
    connections: MemberConnections,
    members: Members,
    endpoint: Endpoint,
    form: RpcFormat,
    method: str,
    arguments: tuple[Any, ...],
    deadline: Deadline,
    headers: dict[str, str] | None = None,
) -> Any:
    """Make one call. It is sent once; only what may be repeated is sent again, when its connection breaks: on one of its own.

    Raises:
        XenAPI.Failure: The server refused it.
        InvalidSpecError: It is too long; nothing was sent.
        UnreachableError: There is no way to the server; nothing was sent.
    """
    body = form.encode(method, arguments)
    if len(body) > _LONGEST_CALL:
        raise errors.InvalidSpecError(
            f"XAPI takes no call of more than {_LONGEST_CALL >> 10} KiB, and {method} has more"
        )
    more = {"User-Agent": AGENT, **(headers or {})}
    secured = members.secured(endpoint)
    for fresh in (False, True):
        with connections.lend(secured, deadline, fresh=fresh) as connection:
            connection.begin()
            try:
                answer = exchange(connection, form, body, more)
            except (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead):
                if fresh or not may_repeat(method):
                    raise
                connection.close()
                continue
        return form.decode(answer)
    raise AssertionError("unreachable")


def may_repeat(method: str) -> bool:
    """Whether a call may be sent again: it changes nothing, or what it does cannot be done twice."""
    name = method.rpartition(".")[2]
    return name.startswith(("get_", "assert_", "list")) or method in _ENDS
