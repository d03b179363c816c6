"""What becomes of a driver's errors on their way to the caller: translated, named, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from hvsdk._connection import log
from hvsdk._driver.base import Driver
from hvsdk._driver.operation import Operation, current_operation
from hvsdk.errors import ConnectionLostError, HostClosedError, HvsdkError, OperationTimeoutError

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk._driver.backend import Backend
    from hvsdk._driver.target import Target

__all__ = ["DoorErrors"]

T = TypeVar("T")
LONGEST_TEXT = 2000
"""Characters of a product's text that an error keeps; some tell a whole stack or document."""


class DoorErrors:
    """The part of the door that makes errors."""

    backend: Backend
    target: Target

    def _opening(self) -> Operation:
        return Operation(id="", verb="open", backend=self.backend.name, host=self.target.shown())

    def _closed(self) -> HostClosedError:
        return HostClosedError("this host was closed", backend=self.backend.name, host=self.target.shown())

    def _translated(self, driver: Driver, operation: Operation, call: Callable[[], T]) -> T:
        current_operation.set(operation)  # in the worker's own copy of the context
        try:
            return call()
        except HvsdkError as exc:
            self._redacted(exc)  # first: what is left of a secret that was cut in two is not found any more
            self._shorten(self._dress(exc))
            raise
        except Exception as exc:
            error = self._translate(driver, exc, operation)
            if error is None:
                self._redacted(exc)
                raise
            self._redacted(error)
            try:
                raise self._shorten(self._dress(error)) from (exc if self._redacted(exc) else None)
            finally:
                del error  # no cycle through this frame: it would keep the driver

    def _redacted(self, exc: BaseException) -> bool:
        """Take the secrets out of an error; return whether none is left."""
        secrets = self.target.used_secrets()
        if not secrets:
            return True
        from hvsdk._redaction import redact

        return redact(exc, secrets)

    @staticmethod
    def _translate(driver: Driver, exc: Exception, operation: Operation) -> HvsdkError | None:
        try:
            return type(driver).translate(exc, operation)
        except Exception as broken:
            log().error("%s.translate failed: %s", type(driver).__name__, type(broken).__name__)
            return None

    def _dress(self, error: HvsdkError) -> HvsdkError:
        error.backend = error.backend or self.backend.name
        error.host = error.host or self.target.shown()
        return error

    @staticmethod
    def _shorten(error: HvsdkError) -> HvsdkError:
        more = len(error.message) - LONGEST_TEXT
        if more > 0:
            error.message = f"{error.message[:LONGEST_TEXT]}… (and {more} characters more)"
        return error

    def _late(
        self, verb: str, limit: Deadline, message: str = "", *, cause: BaseException | None = None
    ) -> OperationTimeoutError:
        which = f"{limit.limit} is what ran out" if limit.limit else "give it more time"
        error = OperationTimeoutError(
            message or f"no answer to {verb} in time",
            hint=which if message else f"see whether the server is up; {which}",
        )
        self._dress(error)
        error.__cause__ = cause
        return error

    @staticmethod
    def _copy(error: BaseException) -> BaseException:
        """Return an error for a second thread: a traceback belongs to one."""
        if isinstance(error, HvsdkError):
            function, arguments = error.__reduce__()[:2]
            copy: HvsdkError = function(*arguments)
            copy.__cause__ = error.__cause__
            return copy
        if isinstance(error, Exception):
            return error
        return ConnectionLostError("the opening of the connection was interrupted")
