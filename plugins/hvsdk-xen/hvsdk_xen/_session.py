"""What all parts of the driver share: tasks, look-ups, and ways to each member of the pool."""

from __future__ import annotations

import http.client
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import XenAPI
from hvsdk.connections import Connection, Endpoint, UnreachableError, dial
from hvsdk.driver import Deadline, Target, errors

from hvsdk_xen._calls import SessionCalls
from hvsdk_xen._exchange import HttpExchange, open_exchange
from hvsdk_xen._login import code_of
from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._tasks import CALL_MARK, XenTask, marks

__all__ = ["XenSession"]

T = TypeVar("T")


class XenSession(SessionCalls):
    """An open connection. Every part of the driver is a class `XVerbs(XenSession)` or `XReads(XenSession)`.

    Keep UUIDs across calls: references change when a pool is restored. Calls raise `XenAPI.Failure` for what XAPI
    refuses, and pass on what the wire raises.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._refs: dict[str, str] = {}

    # ---- tasks -------------------------------------------------------------------------------------------

    def start_task(
        self, method: str, *arguments: Any, deadline: Deadline, result: Callable[[Any], T] | None = None
    ) -> XenTask[T]:
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

    def follow_task(self, ref: str, method: str, result: Callable[[Any], T] | None = None) -> XenTask[T]:
        """Return a task of ours that XAPI has begun; its record is taken away at the end, as by `start_task`."""
        self._tasks.add(ref)
        return XenTask(self, ref, method, result)

    def _task_of(self, call: str, deadline: Deadline) -> str | None:
        """Find the task of a call whose answer was lost; `None` also when nothing can be asked."""
        try:
            tasks = self.call("task.get_all_records", deadline=deadline)
        except (XenAPI.Failure, AnswerError, http.client.HTTPException, OSError, errors.HvsdkError):
            return None  # what is to be told is that the answer was lost
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

    # ---- members -----------------------------------------------------------------------------------------

    @property
    def master_endpoint(self) -> Endpoint:
        """Where the master is reached from here."""
        return self._session().endpoint

    def new_connection(self) -> Connection:
        """Return a connection to the master, not connected yet, for a client library."""
        endpoint = self.master_endpoint
        return Connection(self._known.secured(endpoint))

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
        return dial(self._known.secured(endpoint), deadline)
