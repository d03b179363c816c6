"""One session: logged in, renewed, kept and ended, and the calls that are made in it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from hvsdk.connections import Pool
from hvsdk.driver import Deadline, Driver, Target, errors
from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import versionIdMap

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._keep_alive import keep_alive
from hvsdk_vmware._login import credentials_of, endpoint_of, greet, log_in, numbers
from hvsdk_vmware._stub import Stub, within

__all__ = ["FAILURES", "SessionCalls"]

T = TypeVar("T")
CLOSE_SECONDS = 5.0
FAILURES = (vmodl.MethodFault, AnswerError, http.client.HTTPException, OSError, errors.HvsdkError)
"""All that a call may raise, for the steps that undo others."""


class SessionCalls(Driver):
    """Makes calls, and logs in anew when the session has expired: such a call follows by itself, it was not carried out."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._stub: Stub | None = None
        self._content: vim.ServiceInstanceContent | None = None
        self._former: list[str] = []
        self._renewing = threading.Lock()
        self._refused: int | None = None
        self._stop_keeping: threading.Event | None = None

    # ---- opening and closing -----------------------------------------------------------------------------

    def open(self, *, deadline: Deadline) -> None:
        with self._renewing, within(deadline):
            stub = self._stub
            if stub is None:
                stub = self._stub = Stub(Pool(endpoint_of(self.target)), self.target.timeout)
                stub.renew = self._renewed
            self._content = greet(stub)
            former = stub.session
            self._log_in()
            if former is not None:
                self._former.append(former)
        seconds = float(self.target.options.get("keep_alive") or 0.0)
        if self._stop_keeping is None and seconds > 0:
            self._stop_keeping = keep_alive(self._stay, seconds)

    def _log_in(self) -> None:
        """Log in, but not with a password that was refused before: repeated for each call, that locks accounts."""
        who = credentials_of(self.target)
        if hash(who) == self._refused:
            raise errors.AuthenticationError(
                "the session has ended, and the password was refused when it was to be renewed; it is not tried again",
                hint="connect anew with the right one",
            )
        try:
            log_in(self.sessions, who)
        except vim.fault.InvalidLogin:
            self._refused = hash(who)
            raise

    def _renewed(self, generation: int, deadline: Deadline) -> None:
        """Log in anew, once for all threads whose session was the same."""
        with self._renewing, within(deadline):
            stub = self.stub
            if stub.generation != generation:
                return
            self._log_in()
            if self._stub is not stub:  # it was closed meanwhile, and what ended then was the session before
                self._say_goodbye(stub)
                raise errors.ConnectionLostError("the connection was closed")

    def _stay(self, seconds: float) -> None:
        """Make a call when none has been made for so long; should it fail, the next one tells."""
        stub = self._stub
        if stub is None or time.monotonic() - stub.used_at < seconds / 2:
            return
        try:
            self.call(self.service.CurrentTime, deadline=Deadline(self.target.timeout))
        except FAILURES:
            return

    def close(self) -> None:
        stub, self._stub = self._stub, None
        stop, self._stop_keeping = self._stop_keeping, None
        if stop is not None:
            stop.set()
        if stub is None:
            return
        stub.renew = None
        if stub.session is not None:
            self._say_goodbye(stub)
        stub.pool.close()

    def _say_goodbye(self, stub: Stub) -> None:
        """Log out, as far as the server listens: nobody is left to be told."""
        deadline = Deadline(min(CLOSE_SECONDS, self.target.timeout))
        former, self._former = self._former, []
        for session in filter(None, (*former, stub.session)):
            stub.session = session
            try:
                self.call(self.sessions.Logout, deadline=deadline)
            except (vmodl.MethodFault, AnswerError):
                continue  # it is gone already
            except (OSError, http.client.HTTPException, errors.ConnectError):
                break
        stub.session = None

    def abandon(self) -> None:
        stub, self._stub = self._stub, None
        self._renewing = threading.Lock()
        self._former, self._stop_keeping = [], None
        if stub is not None:
            stub.renew, stub.session = None, None
            stub.pool.abandon()

    # ---- calls -------------------------------------------------------------------------------------------

    def call(self, function: Callable[..., T], *arguments: Any, deadline: Deadline, **named: Any) -> T:
        """Make a call of one of pyvmomi's objects: `self.call(vm.PowerOn, deadline=deadline)`."""
        with within(deadline):
            return function(*arguments, **named)

    @property
    def stub(self) -> Stub:
        """What pyvmomi's objects send their calls through."""
        stub = self._stub
        if stub is None:
            raise errors.ConnectionLostError("there is no session any more")
        return stub

    @property
    def content(self) -> vim.ServiceInstanceContent:
        """What the server consists of, as it said when the connection was opened."""
        content = self._content
        if content is None:
            raise errors.ConnectionLostError("there is no session any more")
        return content

    @property
    def sessions(self) -> vim.SessionManager:
        """What logs in and out."""
        manager = self.content.sessionManager
        assert manager is not None, "every server has one"
        return manager

    @property
    def service(self) -> vim.ServiceInstance:
        """The object that all others are found from."""
        return vim.ServiceInstance("ServiceInstance", self.stub)

    @property
    def is_vcenter(self) -> bool:
        """Whether it is a vCenter; else a host by itself."""
        return bool(self.content.about.apiType == "VirtualCenter")

    def speaks(self, version: str) -> bool:
        """Whether both sides know a version of the API, such as `"6.7"`."""
        return numbers(versionIdMap[self.stub.version]) >= numbers(version)
