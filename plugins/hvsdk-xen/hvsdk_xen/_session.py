"""What all parts of the driver share: the session, calls, look-ups, tasks, and ways to each member of the pool."""

from __future__ import annotations

import http.client
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import XenAPI
from hvsdk.driver import Deadline, Driver, Target, Task, errors

from hvsdk_xen._exchange import HttpExchange, open_exchange
from hvsdk_xen._login import Login, code_of, log_in, request
from hvsdk_xen._members import members_of
from hvsdk_xen._rpc import AnswerError, check_texts
from hvsdk_xen._surroundings import Surroundings, look_around
from hvsdk_xen._tasks import CALL_MARK, XenTask, marks
from hvsdk_xen._wire import Connection, Endpoint, Pool, UnreachableError, dial

__all__ = ["XenSession"]

T = TypeVar("T")

CLOSE_SECONDS = 5.0
_RENEWED = frozenset(("SESSION_INVALID", "HOST_IS_SLAVE"))
"""Codes that say: not executed, log in anew."""


class XenSession(Driver):
    """An open connection. Every part of the driver is a class `XVerbs(XenSession)` or `XReads(XenSession)`.

    Keep UUIDs across calls: references change when a pool is restored. A session that expired, a master that moved and
    one that cannot be reached are followed by whatever call notices, since it was not carried out. Calls raise
    `XenAPI.Failure` for what XAPI refuses, and pass on what the wire raises.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._pool = Pool()
        self._known = members_of(target)
        self._login: Login | None = None
        self._former: list[str] = []
        self._around = Surroundings()
        self._renewing = threading.Lock()
        self._refs: dict[str, str] = {}
        self._messages: frozenset[str] | None = None
        self._tasks: set[str] = set()

    # ---- opening and closing -----------------------------------------------------------------------------

    def open(self, *, deadline: Deadline) -> None:
        with self._renewing:
            self._log_in(deadline)

    def _log_in(self, deadline: Deadline) -> None:
        """Log in, and keep the session before: what is under way uses it, and it has to be logged out."""
        login = log_in(self.target, self._known, self._pool, deadline)
        former, self._login = self._login, login
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
        login, self._login = self._login, None
        former, self._former = self._former, []
        tasks, self._tasks = self._tasks, set()
        if login is not None:
            self._say_goodbye(login, tasks, former)
        self._pool.close()
        self._pool = Pool()

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
        self._pool.abandon()
        self._pool = Pool()
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
            self._log_in(deadline)
            return self._session()

    def _request(
        self,
        login: Login,
        method: str,
        arguments: tuple[Any, ...],
        deadline: Deadline,
        headers: dict[str, str] | None = None,
    ) -> Any:
        return request(self._pool, self._known, login.endpoint, login.form, method, arguments, deadline, headers)

    def start_task(
        self, method: str, *arguments: Any, deadline: Deadline, result: Callable[[Any], T] | None = None
    ) -> Task[T]:
        """Begin a call as a task of XAPI's, whose `other_config` names the operation and who asked for it.

        Should the answer be lost, the task is looked for: it tells that the call was carried out, and how it goes.

        Args:
            result: Makes the verb's result of the call's; without it that is passed on, `None` for none.
        """
        call = secrets.token_hex(8)
        try:
            ref = str(self._call(f"Async.{method}", arguments, deadline, marks(call)))
        except UnreachableError:
            raise
        except (ConnectionError, http.client.HTTPException, AnswerError):
            begun = self._task_of(call, deadline)
            if begun is None:
                raise
            ref = begun
        return self.follow_task(ref, method, result)

    def follow_task(self, ref: str, method: str, result: Callable[[Any], T] | None = None) -> Task[T]:
        """Return a task of ours that XAPI has begun; its record is taken away at the end, as by `start_task`."""
        self._tasks.add(ref)
        return XenTask(self, ref, method, result)

    def _task_of(self, call: str, deadline: Deadline) -> str | None:
        """Find the task of a call whose answer was lost."""
        tasks = self.call("task.get_all_records", deadline=deadline)
        return next((ref for ref, task in tasks.items() if task.get("other_config", {}).get(CALL_MARK) == call), None)

    def forget_task(self, ref: str) -> None:
        """Note that a task is over and its record is gone."""
        self._tasks.discard(ref)

    # ---- look-ups ----------------------------------------------------------------------------------------

    def vm_ref(self, native_id: str, deadline: Deadline) -> str:
        """Return the reference of a VM by its UUID; UUID_INVALID when there is none."""
        found = self._refs.get(native_id)
        if found is None:
            found = self._refs[native_id] = str(self.call("VM.get_by_uuid", native_id, deadline=deadline))
        return found

    def forget_ref(self, ref: str) -> None:
        """Note that a reference is not valid any more, so that the next call looks its VM up anew."""
        self._refs = {uuid: known for uuid, known in self._refs.items() if known != ref}

    def on_vm(self, native_id: str, method: str, *arguments: Any, deadline: Deadline) -> Any:
        """Make a call about a VM, whose reference is put in; one that is not valid any more is looked up anew."""
        cached = native_id in self._refs
        ref = self.vm_ref(native_id, deadline)
        try:
            return self.call(method, ref, *arguments, deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) != "HANDLE_INVALID" or ref not in exc.details:
                raise
            self.forget_ref(ref)
            if not cached:
                raise
        return self.call(method, self.vm_ref(native_id, deadline), *arguments, deadline=deadline)

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

    # ---- members -----------------------------------------------------------------------------------------

    @property
    def master_endpoint(self) -> Endpoint:
        """Where the master is reached from here."""
        return self._session().endpoint

    def new_connection(self) -> Connection:
        """Return a connection to the master, not connected yet, for a client library."""
        endpoint = self.master_endpoint
        return Connection(endpoint, self._known.context(endpoint))

    def endpoint_of(self, host_ref: str | None, deadline: Deadline) -> Endpoint:
        """Return where a host is reached from here, the master without a reference; its pins are learnt if need be."""
        return self._around.endpoint_of(self, self._known, self._session().endpoint, host_ref, deadline)

    def reach(self, address: str, port: int | None = None) -> Endpoint:
        """Return where an address that the pool told is reached from here, as `address_map` says."""
        return self._known.reach(address, port)

    def http(
        self,
        host_ref: str | None,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        deadline: Deadline,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        task: str | None = None,
    ) -> HttpExchange:
        """Begin an HTTP exchange with a host, the master without a reference. The session goes in a cookie.

        Args:
            deadline: For connecting and the answer's head; each piece of the body has the time of a round trip.
            length: Bytes of the body that is sent with `send`; the answer is asked for once they are.
            task: Reference of a task of ours that tells how it goes, also when the answer's head has said 200.
        """
        for last in (False, True):
            endpoint = self.endpoint_of(host_ref, deadline)
            cookie = f"session_id={self._session().session}" + (f"; task_id={task}" if task else "")
            exchange = open_exchange(
                self._known,
                endpoint,
                method,
                path,
                query or {},
                {"Cookie": cookie, **(headers or {})},
                length=length,
                deadline=deadline,
                seconds=self.target.timeout,
            )
            if exchange.status != 401 or last:
                return exchange
            exchange.close()
            self.call("pool.get_all", deadline=deadline)  # renews a session that has expired
        raise AssertionError("unreachable")

    def socket_to(self, host_ref: str | None, *, deadline: Deadline) -> socket.socket:
        """Connect to a host's HTTPS port, the master's without a reference, with its certificate checked."""
        endpoint = self.endpoint_of(host_ref, deadline)
        return dial(endpoint, self._known.context(endpoint), deadline)
