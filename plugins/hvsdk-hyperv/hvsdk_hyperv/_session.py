"""What all verbs are built on: operations of the scripts, asked for by name with arguments as data."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import requests
from hvsdk.driver import Deadline, Driver, Operation, Target, Task, errors
from winrm.exceptions import WinRMError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from hvsdk_hyperv._errors import translate
from hvsdk_hyperv._frames import encode
from hvsdk_hyperv._login import login_of
from hvsdk_hyperv._login_errors import LoginRefusedError
from hvsdk_hyperv._long import DoneTask, LongOperation
from hvsdk_hyperv._other_port import right_port
from hvsdk_hyperv._refused import RefusedError
from hvsdk_hyperv._shell import OPERATIONS_QUOTA, Shell, ShellEndedError
from hvsdk_hyperv._wsman import AnswerError, Wsman

__all__ = ["FAILURES", "NO_ANSWER", "HyperVSession"]

T = TypeVar("T")
CLOSE_SECONDS = 5.0
SHORT = 2.0
"""Seconds that the host may take over a long operation before it answers that it goes on."""
FAILURES = (
    *(
        RefusedError,
        ShellEndedError,
        AnswerError,
        LoginRefusedError,
        WinRMError,
        WinRMTransportError,
        WinRMOperationTimeoutError,
    ),
    *(requests.RequestException, OSError, errors.HvsdkError),
)
"""All that a call may raise, for the steps that undo others."""


NO_ANSWER = (ShellEndedError, AnswerError, requests.RequestException)
"""What a call raises that got no answer."""


class HyperVSession(Driver):
    """One connection: a shell on the host with one PowerShell that stays, and answers one request after another."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.about: Mapping[str, Any] = {}
        """What `host.about` answered when the connection was opened."""
        self._wsman: Wsman | None = None
        self._shell: Shell | None = None
        self._ids = itertools.count(1)
        self._one_at_a_time = threading.Lock()
        self._under_way: set[int] = set()

    # ---- opening and closing -----------------------------------------------------------------------------

    def open(self, *, deadline: Deadline) -> None:
        with self._alone(deadline):
            if self._wsman is None:
                self._wsman = Wsman(lambda: login_of(self.target))
            else:
                self._wsman.end()  # called again, to log in anew
            if self._shell is None:
                with right_port(self.target, deadline):
                    self._start(deadline)
            self.about = self._result(self._exchange("host.about", {}, deadline=deadline))
        self._check()

    def _check(self) -> None:
        """Fail where nothing can be done at all."""
        problem = self.about.get("problem")
        if problem == "module":
            raise errors.UnsupportedError(
                "the host has no Hyper-V module of Windows PowerShell",
                hint="Install-WindowsFeature -Name Hyper-V-PowerShell, as an administrator there",
            )
        if problem == "rights":
            raise errors.PermissionDeniedError(
                f"this user may not use Hyper-V there: {self.about.get('message')}",
                hint="make the user a member of the group Hyper-V Administrators, and see whether the service vmms runs",
            )

    def _start(self, deadline: Deadline) -> None:
        assert self._wsman is not None
        shell = Shell(self._wsman)
        try:
            shell.start(deadline)
        except BaseException:
            self._let_go(shell)
            raise
        self._shell = shell
        self._under_way.clear()

    def _let_go(self, shell: Shell) -> None:
        """End a shell, as far as the host listens."""
        with suppress(*FAILURES):
            shell.delete(Deadline(min(CLOSE_SECONDS, self.target.timeout)))

    def close(self) -> None:
        wsman, self._wsman = self._wsman, None
        shell, self._shell = self._shell, None
        if wsman is None:
            return
        limit = Deadline(min(CLOSE_SECONDS, self.target.timeout))
        free = self._one_at_a_time.acquire(timeout=0.5)
        try:
            if shell is not None and free:
                with suppress(*FAILURES):
                    shell.delete(limit)
            elif (
                shell is not None
            ):  # a request that never comes back has the connection; its shell is ended from another
                other = Wsman(lambda: login_of(self.target))
                with suppress(*FAILURES):
                    shell.delete(limit, other)
                other.end()
        finally:
            if free:
                self._one_at_a_time.release()
                wsman.end()
            else:
                wsman.cut()

    def abandon(self) -> None:
        wsman, self._wsman, self._shell = self._wsman, None, None
        self._one_at_a_time = threading.Lock()
        if wsman is not None:
            wsman.cut()

    # ---- operations --------------------------------------------------------------------------------------

    def call(self, operation: str, arguments: Mapping[str, Any] | None = None, *, deadline: Deadline) -> Any:
        """Carry out an operation that is short, and return what it answers. One Send and one Receive.

        Raises:
            RefusedError: The operation failed on the host.
        """
        with self._alone(deadline):
            return self._result(self._exchange(operation, arguments or {}, deadline=deadline))

    def repeatable(self, operation: str, arguments: Mapping[str, Any] | None = None, *, deadline: Deadline) -> Any:
        """Do as `call` does, with an operation that does no harm twice: once more in a new shell when there is no answer.

        Long operations that are under way in the old shell would end with it: then it is not repeated.
        """
        with self._alone(deadline):
            try:
                return self._result(self._exchange(operation, arguments or {}, deadline=deadline))
            except NO_ANSWER:
                if self._under_way:
                    raise
            self._drop_shell()
            return self._result(self._exchange(operation, arguments or {}, deadline=deadline))

    def begin(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        deadline: Deadline,
        result: Callable[[Any], T] | None = None,
    ) -> Task[Any]:
        """Carry out an operation that may be long, as a task: what is done within two seconds costs no more than `call`.

        The task shows the operation's progress, and cancelling it stops the pipeline that carries it out: its `finally`
        blocks take back what it made.

        Args:
            result: Makes the verb's result of the operation's answer; without it that is the result.

        Raises:
            RefusedError: It failed at once.
        """
        made = result or (lambda answer: answer)
        seconds = max(0.0, min(SHORT, deadline.remaining() / 3))
        with self._alone(deadline):
            answer = self._exchange(operation, arguments or {}, deadline=deadline, wait=round(seconds, 3))
            if answer.get("job") is None:
                return DoneTask(made(self._result(answer)))
            self._under_way.add(answer["job"])
            return LongOperation(self, self._shell, answer["job"], made)

    def ask_after(
        self, shell: object, operation: str, job: int, wait: float | None = None, *, deadline: Deadline
    ) -> dict[str, Any]:
        """Ask for a long operation that was begun in a shell.

        Raises:
            ConnectionLostError: That shell is gone, and nothing can be said of what went on in it.
        """
        with self._alone(deadline):
            if self._shell is not shell:
                raise errors.ConnectionLostError("the connection that this was begun on is gone")
            answer = self._exchange(operation, {"job": job, "wait": wait}, deadline=deadline, stays=True)
            found: dict[str, Any] = self._result(answer) or {}
            if found.get("done"):
                self._under_way.discard(job)
            return found

    def soon(self) -> Deadline:
        """Return the time for one more call: a verb's own was for the first, and a task may have taken hours."""
        return Deadline(self.target.timeout)

    @staticmethod
    def _result(answer: Mapping[str, Any]) -> Any:
        if answer.get("error") is not None:
            raise RefusedError(answer["error"])
        return answer.get("result")

    def _exchange(
        self, operation: str, arguments: Mapping[str, Any], *, deadline: Deadline, stays: bool = False, **more: Any
    ) -> dict[str, Any]:
        """Send a request and return its answer; in a new shell where the present one is worn, or is gone already."""
        shell = self._shell
        if self._wsman is None:
            raise errors.ConnectionLostError("there is no session any more")
        if shell is not None and shell.worn and not self._under_way and not stays:
            self._shell = None
            self._let_go(shell)
            shell = None
        if shell is None:
            self._start(deadline)
        number = next(self._ids)
        line = encode({"id": number, "operation": operation, "arguments": arguments, **more})
        used = self._shell
        assert used is not None
        try:
            return self._in_shell(number, line, deadline)
        except ShellEndedError as exc:
            if stays or exc.carried_out is not False:
                raise
        except WSManFaultError as exc:
            # A new shell has a count of its own. The old one goes only if nothing ran in it, neither this nor another.
            if stays or exc.wsman_fault_code != OPERATIONS_QUOTA or not used.unsent or self._under_way:
                raise
        self._drop_shell()
        self._start(deadline)
        return self._in_shell(number, line, deadline)

    def _in_shell(self, number: int, line: bytes, deadline: Deadline) -> dict[str, Any]:
        assert self._shell is not None
        try:
            return self._shell.exchange(number, line, deadline)
        except ShellEndedError as exc:
            if exc.carried_out is not False:
                self._drop_shell()
            raise

    def _drop_shell(self) -> None:
        shell, self._shell = self._shell, None
        if shell is not None:
            self._let_go(shell)

    @contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[None]:
        """Wait until no other thread has the connection."""
        if not self._one_at_a_time.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise errors.ConnectionLostError("the connection was in use by others until the time was up")
        try:
            yield
        finally:
            self._one_at_a_time.release()

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
