"""One session: logged in, renewed and ended, and the calls that are made in it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable
from typing import Any

import XenAPI
from hvsdk.connections import UnreachableError
from hvsdk.driver import Deadline, Driver, Target, errors

from hvsdk_xen._login import Login, code_of, credentials_of, log_in, request
from hvsdk_xen._member_connections import MemberConnections
from hvsdk_xen._members import members_of
from hvsdk_xen._rpc import AnswerError, check_texts
from hvsdk_xen._surroundings import Surroundings, look_around

__all__ = ["SessionCalls"]

CLOSE_SECONDS = 5.0
_RENEWED = frozenset(("SESSION_INVALID", "HOST_IS_SLAVE"))
"""Codes that say: not executed, log in anew."""


class SessionCalls(Driver):
    """Makes calls, and logs in anew for a session that expired, a master that moved and one that cannot be reached.

    Whatever call notices follows by itself, since it was not carried out.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._connections = MemberConnections()
        self._known = members_of(target)
        self._login: Login | None = None
        self._former: list[str] = []
        self._closings = 0
        self._around = Surroundings()
        self._renewing = threading.Lock()
        self._refused: int | None = None
        self._messages: frozenset[str] | None = None
        self._tasks: set[str] = set()

    # ---- opening and closing -----------------------------------------------------------------------------

    def open(self, *, deadline: Deadline) -> None:
        with self._renewing:
            self._log_in(deadline)

    def _log_in(self, deadline: Deadline) -> None:
        """Log in, and keep the session before: what is under way uses it, and it has to be logged out."""
        closings = self._closings
        login = log_in(self.target, self._known, self._connections, deadline)
        former, self._login = self._login, login
        if closings != self._closings:
            self._login = None
            self._say_goodbye(login, (), ())
            raise errors.ConnectionLostError("the connection was closed while its session was renewed")
        if former is not None:
            self._former.append(former.session)
        self.look_again(deadline)

    def look_again(self, deadline: Deadline) -> Surroundings:
        """Read anew what is known of the pool."""
        login = self._session()

        def ask(method: str, *arguments: Any) -> Any:
            return self._request(login, method, (login.session, *arguments), deadline)

        self._around = look_around(ask, self._known)
        return self._around

    def close(self) -> None:
        self._closings += 1
        login, self._login = self._login, None
        former, self._former = self._former, []
        tasks, self._tasks = self._tasks, set()
        if login is not None:
            self._say_goodbye(login, tasks, former)
        self._connections.close()
        self._connections = MemberConnections()

    def _say_goodbye(self, login: Login, tasks: Iterable[str], former: Iterable[str]) -> None:
        """Take away tasks and log out, as far as the server listens: nobody is left to be told."""
        deadline = Deadline(min(CLOSE_SECONDS, self.target.timeout))
        calls: list[tuple[str, tuple[str, ...]]] = [("task.destroy", (login.session, task)) for task in tasks]
        calls += [("session.logout", (session,)) for session in (*former, login.session)]
        for method, arguments in calls:
            try:
                self._request(login, method, arguments, deadline)
            except (XenAPI.Failure, AnswerError):
                continue  # it is gone already
            except (OSError, http.client.HTTPException, errors.ConnectError):
                return

    def abandon(self) -> None:
        self._connections.abandon()
        self._connections = MemberConnections()
        self._renewing = threading.Lock()
        self._login, self._former = None, []

    # ---- calls -------------------------------------------------------------------------------------------

    def call(self, method: str, *arguments: Any, deadline: Deadline) -> Any:
        """Make one call of XAPI and return its result; the session is put in."""
        return self._call(method, arguments, deadline)

    def _call(
        self, method: str, arguments: tuple[Any, ...], deadline: Deadline, headers: dict[str, str] | None = None
    ) -> Any:
        check_texts(arguments)
        login = self._session()
        try:
            return self._request(login, method, (login.session, *arguments), deadline, headers)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _RENEWED:
                raise
            login = self._renewed(login, exc, deadline)
        except UnreachableError as exc:
            login = self._renewed(login, exc, deadline)
        return self._request(login, method, (login.session, *arguments), deadline, headers)

    def _session(self) -> Login:
        login = self._login
        if login is None:
            raise errors.ConnectionLostError("there is no session any more")
        return login

    def _renewed(self, dead: Login, why: XenAPI.Failure | UnreachableError, deadline: Deadline) -> Login:
        """Log in anew, once for all threads whose session is dead."""
        with self._renewing:
            login = self._session()
            if login is not dead:
                return login
            if isinstance(why, XenAPI.Failure) and code_of(why) == "HOST_IS_SLAVE" and len(why.details) > 1:
                self._known.prefer(self._known.reach(str(why.details[1])))
            self._log_in_again(deadline)
            return self._session()

    def _log_in_again(self, deadline: Deadline) -> None:
        """Log in, but not with a password that was refused before: repeated for each call, that locks accounts."""
        who = hash(credentials_of(self.target))
        if who == self._refused:
            raise errors.AuthenticationError(
                "the session has ended, and the password was refused when it was to be renewed; it is not tried again",
                hint="connect anew with the right one",
            )
        try:
            self._log_in(deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) == "SESSION_AUTHENTICATION_FAILED":
                self._refused = who
            raise

    def _request(
        self,
        login: Login,
        method: str,
        arguments: tuple[Any, ...],
        deadline: Deadline,
        headers: dict[str, str] | None = None,
    ) -> Any:
        return request(self._connections, self._known, login.endpoint, login.form, method, arguments, deadline, headers)

    # ---- what is known -----------------------------------------------------------------------------------

    @property
    def around(self) -> Surroundings:
        """The pool as it was at the last login."""
        return self._around

    @property
    def session_ref(self) -> str:
        """The key of the session, which is a secret."""
        return self._session().session

    @property
    def rpc(self) -> str:
        """How calls are written: `json` or `xml`."""
        return self._session().form.name

    @property
    def api_version(self) -> tuple[int, int]:
        """The version of XAPI at the master, such as (2, 21)."""
        return self._around.api_version

    def has_message(self, name: str) -> bool:
        """Whether the server knows a message, such as `VM.set_memory_limits`. One call at the first question."""
        if self._messages is None:
            self._messages = self._list_messages()
        return name in self._messages or not self._messages

    def _list_messages(self) -> frozenset[str]:
        login, deadline = self._session(), Deadline(self.target.timeout)
        try:
            return frozenset(map(str, self._request(login, "system.listMethods", (), deadline)))
        except XenAPI.Failure:  # where none are listed, every one counts as known
            return frozenset()
