"""The error tree: everything that hvsdk raises on purpose.

::

    HvsdkError  (.backend .host .hint .native_code; the vendor's exception is __cause__)
    ├── BackendError:  UnknownBackendError · BackendLoadError
    ├── ConnectError:  AuthenticationError · CertificateError · ConnectionLostError (SessionExpiredError) · HostClosedError ·
    │                  NotTriedError
    ├── NotFoundError: DomainNotFoundError · SnapshotNotFoundError · DiskNotFoundError · NicNotFoundError ·
    │                  NetworkNotFoundError · StoragePoolNotFoundError · VolumeNotFoundError · NodeNotFoundError
    ├── AlreadyExistsError · AmbiguousNameError · InvalidSpecError
    ├── NotLoadedError · CancelledError
    ├── PowerStateError · BusyError · GuestAgentError · UnsupportedError · PermissionDeniedError · VetoError
    ├── InsufficientResourcesError
    └── OperationTimeoutError (also TimeoutError) · OutcomeUnknownError · OperationFailedError

A message says what was asked, of whom and what to do next. Every error can be pickled; its cause does not travel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvsdk.enums import PowerState

__all__ = [
    "AlreadyExistsError",
    "AmbiguousNameError",
    "AuthenticationError",
    "BackendError",
    "BackendLoadError",
    "BusyError",
    "CancelledError",
    "CertificateError",
    "ConnectError",
    "ConnectionLostError",
    "DiskNotFoundError",
    "DomainNotFoundError",
    "GuestAgentError",
    "HostClosedError",
    "HvsdkError",
    "InsufficientResourcesError",
    "InvalidSpecError",
    "NetworkNotFoundError",
    "NicNotFoundError",
    "NodeNotFoundError",
    "NotFoundError",
    "NotLoadedError",
    "NotTriedError",
    "OperationFailedError",
    "OperationTimeoutError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "PowerStateError",
    "SessionExpiredError",
    "SnapshotNotFoundError",
    "StoragePoolNotFoundError",
    "UnknownBackendError",
    "UnsupportedError",
    "VetoError",
    "VolumeNotFoundError",
]


def _rebuild(cls: type[HvsdkError], message: str, state: dict[str, Any]) -> HvsdkError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class HvsdkError(Exception):
    """Anything that went wrong while talking to a hypervisor through hvsdk.

    Attributes:
        message: What happened, without the hint.
        backend: Name of the backend, such as `"kvm"`, when one was involved.
        host: The host's URL without any secret, when one was involved.
        hint: What to do next, when there is something.
        native_code: The vendor's own code for it (a number or a name), when there was one.
    """

    def __init__(
        self,
        message: str = "",
        *,
        backend: str | None = None,
        host: str | None = None,
        hint: str | None = None,
        native_code: str | int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.backend = backend
        self.host = host
        self.hint = hint
        self.native_code = native_code

    def __str__(self) -> str:
        where = f" [{self.host}]" if self.host and self.host not in self.message else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.message}{where}{hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


class BackendError(HvsdkError):
    """A backend is missing or cannot be used."""


class UnknownBackendError(BackendError):
    """No installed backend claims the URL's scheme, or several do."""


class BackendLoadError(BackendError):
    """A backend is installed but could not be loaded; the reason is the cause."""


class ConnectError(HvsdkError):
    """The host cannot be reached, or the connection to it is gone."""


class AuthenticationError(ConnectError):
    """The host refused the credentials, or none were given."""


class CertificateError(ConnectError):
    """The server's certificate was not accepted.

    Attributes:
        fingerprint: Its SHA-256 as `"sha256:<hex>"`, to be compared with the server's own and pinned with `verify=`;
            `None` where the client library does not tell.
    """

    fingerprint: str | None

    def __init__(self, message: str = "", *, fingerprint: str | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.fingerprint = fingerprint


class ConnectionLostError(ConnectError):
    """The connection broke and could not be taken up again; nothing that was asked has been carried out."""


class SessionExpiredError(ConnectionLostError):
    """The server no longer knows the session. For plugins only: the core opens a new one and repeats the call."""


class HostClosedError(ConnectError):
    """The `Host` was used after `close()`."""


class NotTriedError(ConnectError):
    """A host of a fleet was not asked at all: it kept failing, or its credentials were refused elsewhere.

    Attributes:
        retry_in: Seconds after which it will be asked again; `None` when only `Fleet.retry()` changes that.
    """

    retry_in: float | None

    def __init__(self, message: str = "", *, retry_in: float | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.retry_in = retry_in


class NotFoundError(HvsdkError):
    """What was asked for is not there."""


class DomainNotFoundError(NotFoundError):
    """No such domain on this host."""


class SnapshotNotFoundError(NotFoundError):
    """The domain has no such snapshot."""


class DiskNotFoundError(NotFoundError):
    """The domain has no such disk or drive."""


class NicNotFoundError(NotFoundError):
    """The domain has no such network adapter."""


class NetworkNotFoundError(NotFoundError):
    """The host has no such network."""


class StoragePoolNotFoundError(NotFoundError):
    """The host has no such storage pool."""


class VolumeNotFoundError(NotFoundError):
    """The storage pool has no such volume."""


class NodeNotFoundError(NotFoundError):
    """There is no such physical machine behind this host."""


class AlreadyExistsError(HvsdkError):
    """Something of that name or identity is already there."""


class AmbiguousNameError(HvsdkError):
    """A name fits more than one domain; ask by UUID or native id.

    Attributes:
        candidates: One `(native_id, uuid, node)` for each domain that fits.
    """

    candidates: tuple[tuple[str, str | None, str | None], ...]

    def __init__(
        self,
        message: str = "",
        *,
        candidates: Sequence[tuple[str, str | None, str | None]] = (),
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.candidates = tuple(candidates)


class InvalidSpecError(HvsdkError):
    """What was asked for cannot be, on this product or at all. Nothing was changed."""


class NotLoadedError(HvsdkError):
    """A field of a record was read that had not been asked for; the message says how to get it."""


class CancelledError(HvsdkError):
    """The operation was cancelled; the message says what became of it."""


class PowerStateError(HvsdkError):
    """The domain's power state does not allow it.

    Attributes:
        state: The state it was seen in, when it is known.
    """

    state: PowerState | None

    def __init__(self, message: str = "", *, state: PowerState | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.state = state


class BusyError(HvsdkError):
    """Something else is being done to it; try again later.

    Attributes:
        lasting: It does not pass by itself, such as another domain's use of a volume: the verb is not tried again.
    """

    lasting: bool

    def __init__(self, message: str = "", *, lasting: bool = False, **more: Any) -> None:
        super().__init__(message, **more)
        self.lasting = lasting


class GuestAgentError(HvsdkError):
    """The guest's agent or tools are needed and do not answer.

    Attributes:
        not_yet: They are installed and enabled but not running yet, so that waiting may help.
    """

    not_yet: bool

    def __init__(self, message: str = "", *, not_yet: bool = False, **more: Any) -> None:
        super().__init__(message, **more)
        self.not_yet = not_yet


class UnsupportedError(HvsdkError):
    """This backend, host or domain cannot do it; the message says why.

    Attributes:
        capability: The capability that is missing, when one was asked for.
    """

    capability: str | None

    def __init__(self, message: str = "", *, capability: str | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.capability = capability


class PermissionDeniedError(HvsdkError):
    """The connection may not do it: the user's role, or `readonly=True`."""


class VetoError(HvsdkError):
    """A hook refused the operation, or failed while being asked. Nothing was changed."""


class InsufficientResourcesError(HvsdkError):
    """The host has not enough memory, CPU or space."""


class _LastSeen(HvsdkError):
    """An error that tells the state a domain was last seen in.

    Attributes:
        last_seen: The power state last read, when there was one.
    """

    last_seen: PowerState | None

    def __init__(self, message: str = "", *, last_seen: PowerState | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.last_seen = last_seen


class OperationTimeoutError(_LastSeen, TimeoutError):
    """The host answered, but it was not done in time."""


class OutcomeUnknownError(_LastSeen):
    """A changing call got no answer: it may or may not have been carried out. It was not repeated."""


class OperationFailedError(HvsdkError):
    """The host tried and failed, or said something that no other error stands for."""
