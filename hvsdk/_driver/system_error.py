"""What the operating system says, in hvsdk's words: of the way to a server, and of files and memory on this side."""

from __future__ import annotations

import errno

from hvsdk._driver.operation import Operation
from hvsdk.errors import (
    ConnectError,
    ConnectionLostError,
    HvsdkError,
    InsufficientResourcesError,
    OperationFailedError,
    PermissionDeniedError,
)

__all__ = ["system_error"]

_NETWORK = frozenset(
    getattr(errno, name)
    for name in (
        *("EPIPE", "ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"),
        *("ENETDOWN", "EHOSTDOWN", "ENOTCONN", "EBADF", "EADDRNOTAVAIL", "ESHUTDOWN", "ENETRESET"),
    )
)
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE))


def system_error(exc: OSError, operation: Operation) -> HvsdkError:
    """Return the error for one of the operating system's, for `Driver.translate`.

    What went wrong on the way to the server is a `ConnectError` at the login and a `ConnectionLostError` after it.
    """
    import socket  # which most programs never need, nor the other one
    import ssl

    if isinstance(exc, (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError)) or exc.errno in _NETWORK:
        return (ConnectError if operation.verb == "open" else ConnectionLostError)(_words(exc))
    if isinstance(exc, PermissionError):
        return PermissionDeniedError(str(exc))
    if exc.errno in _NO_ROOM:
        return InsufficientResourcesError(str(exc))
    return OperationFailedError(str(exc))


def _words(exc: OSError) -> str:
    if isinstance(exc, TimeoutError):
        return "the server did not answer in time"
    import socket

    if isinstance(exc, socket.gaierror) or isinstance(exc.__cause__, socket.gaierror):
        return f"the server's name is not known here: {exc.strerror}"
    return f"the connection failed: {exc.strerror or exc}"
