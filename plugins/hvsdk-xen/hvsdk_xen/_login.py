"""Logging in: the master is found, and what a session over this connection needs to know of the pool."""

from __future__ import annotations

import http.client
from collections import deque
from importlib.metadata import version
from typing import Any, NoReturn

import attrs
import XenAPI
from hvsdk.driver import Deadline, PasswordCredentials, Target, errors

from hvsdk_xen._members import Members
from hvsdk_xen._rpc import JSON, XML, AnswerError, RpcFormat, exchange
from hvsdk_xen._wire import Endpoint, Pool

__all__ = ["AGENT", "Login", "code_of", "is_read", "log_in", "request"]

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


@attrs.frozen
class Login:
    """A session, and where it is."""

    endpoint: Endpoint
    session: str = attrs.field(repr=False)
    form: RpcFormat


def code_of(exc: XenAPI.Failure) -> str:
    """Return XAPI's own code of an error."""
    return str(exc.details[0]) if exc.details else ""


def log_in(target: Target, members: Members, pool: Pool, deadline: Deadline) -> Login:
    """Log in at the master, whichever member is asked first.

    Each member's certificate is checked before anything is sent to it. A refused password is tried nowhere else.

    Raises:
        AuthenticationError: There is no password.
        CertificateError: A member's certificate is not accepted.
        ConnectError: No member of the pool answers.
    """
    name, password = _credentials(target)
    queue = deque(members.candidates())
    tried: dict[Endpoint, Exception] = {}
    hops = 0
    while queue:
        endpoint = queue.popleft()
        if endpoint in tried:
            continue
        limit = deadline.sooner(deadline.remaining() / 2) if queue else deadline
        try:
            login = _at(endpoint, target, members, pool, (name, password), limit)
        except XenAPI.Failure as exc:
            tried[endpoint] = exc
            if code_of(exc) == "HOST_IS_SLAVE" and len(exc.details) > 1 and hops < _HOPS:
                hops += 1
                queue.appendleft(members.reach(str(exc.details[1])))
            elif code_of(exc) not in _ELSEWHERE:
                raise
        except (OSError, http.client.HTTPException, AnswerError, errors.ConnectError) as exc:
            tried[endpoint] = exc
        else:
            members.prefer(login.endpoint)
            return login
    _give_up(tried)


def _give_up(tried: dict[Endpoint, Exception]) -> NoReturn:
    for exc in tried.values():
        if len(tried) == 1 or isinstance(exc, errors.CertificateError):
            raise exc
    told = "; ".join(f"{endpoint}: {exc}" for endpoint, exc in tried.items())
    raise errors.ConnectError(f"no member of the pool let us in: {told}") from next(iter(tried.values()))


def _credentials(target: Target) -> tuple[str, str]:
    found = target.credentials("password")
    if not isinstance(found, PasswordCredentials):
        raise errors.AuthenticationError("XAPI wants a password, and none was given", hint="connect(…, password=…)")
    return found.username or target.username or "root", found.password


def _at(
    endpoint: Endpoint, target: Target, members: Members, pool: Pool, who: tuple[str, str], deadline: Deadline
) -> Login:
    wanted = target.options.get("rpc", "auto")
    forms = {"json": (JSON,), "xml": (XML,)}.get(wanted, (JSON, XML))
    for last, form in enumerate(forms, start=1):
        try:
            session = request(
                pool, members, endpoint, form, "session.login_with_password", (*who, "1.0", AGENT), deadline
            )
        except AnswerError:
            if last == len(forms):
                raise
            continue  # servers of the time before JSON-RPC answer in various ways
        if not isinstance(session, str) or not session:
            raise AnswerError("the server answered the login without a session")
        return Login(endpoint, session, form)
    raise AssertionError("unreachable")


def request(
    pool: Pool,
    members: Members,
    endpoint: Endpoint,
    form: RpcFormat,
    method: str,
    arguments: tuple[Any, ...],
    deadline: Deadline,
    headers: dict[str, str] | None = None,
) -> Any:
    """Make one call. It is sent once; only a read may be sent again, when a connection kept open turns out dead.

    Raises:
        XenAPI.Failure: The server refused it.
    """
    body = form.encode(method, arguments)
    more = {"User-Agent": AGENT, **(headers or {})}
    context = members.context(endpoint)
    for fresh in (False, True):
        with pool.lend(endpoint, context, deadline, fresh=fresh) as connection:
            again = connection.used and not fresh and is_read(method)
            try:
                answer = exchange(connection, form, body, more)
            except (ConnectionError, http.client.BadStatusLine):
                if not again:
                    raise
                connection.close()
                continue
        return form.decode(answer)
    raise AssertionError("unreachable")


def is_read(method: str) -> bool:
    """Whether a call changes nothing."""
    name = method.rpartition(".")[2]
    return name.startswith(("get_", "assert_", "list")) or method == "event.from"
