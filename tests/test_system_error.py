"""What the operating system says, for drivers: which class of error, and in which words."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from hvsdk import errors
from hvsdk.connections import UnreachableError
from hvsdk.driver import Operation, system_error

OPEN, START = (Operation(id="1", verb=verb) for verb in ("open", "start"))
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def of(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/tmp/x")


@pytest.mark.parametrize(
    "exc",
    [
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        UnreachableError(errno.ECONNREFUSED, "Connection refused"),
        TimeoutError("the time was up"),
        UNKNOWN,
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        of(errno.EHOSTUNREACH),
        of(errno.EBADF),
    ],
)
def test_what_breaks_on_the_way_is_no_connection_at_the_login_and_a_lost_one_after_it(exc: OSError) -> None:
    assert type(system_error(exc, OPEN)) is errors.ConnectError
    assert type(system_error(exc, START)) is errors.ConnectionLostError


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (of(errno.EACCES), errors.PermissionDeniedError),
        (of(errno.ENOSPC), errors.InsufficientResourcesError),
        (of(errno.EMFILE), errors.InsufficientResourcesError),
        (of(errno.EISDIR), errors.OperationFailedError),
    ],
)
def test_what_fails_on_this_side_names_the_file(exc: OSError, kind: type[errors.HvsdkError]) -> None:
    error = system_error(exc, START)
    assert type(error) is kind
    assert "/tmp/x" in error.message


def test_a_name_that_nobody_knows_is_said_to_be_that() -> None:
    wrapped = UnreachableError(UNKNOWN.errno, UNKNOWN.strerror)
    wrapped.__cause__ = UNKNOWN
    for exc in (UNKNOWN, wrapped):
        assert system_error(exc, OPEN).message == "the server's name is not known here: Name or service not known"
