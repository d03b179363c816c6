"""The wrong port: one with TLS where none was meant, and the other way round."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from hvsdk.driver import Deadline, Target, errors
from winrm.exceptions import WinRMTransportError

from hvsdk_hyperv._login import port_of
from hvsdk_hyperv._wsman import AnswerError

__all__ = ["right_port"]

_SECONDS = 5.0
_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"))
"""What OpenSSL says of an answer that is none of TLS."""


@contextmanager
def right_port(target: Target, deadline: Deadline) -> Iterator[None]:
    """Let the error of a first request tell of a port that is the other scheme's.

    Raises:
        ConnectError: It has TLS, where the URL says that there is none, or the other way round.
    """
    try:
        yield
    except errors.ConnectError as exc:
        cause = exc.__cause__
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            exc.hint = "is it the right port? WinRM without TLS is hyperv+http://, on port 5985 unless told otherwise"
        raise
    except (requests.RequestException, WinRMTransportError, AnswerError) as exc:
        host, port = target.hostname or "localhost", port_of(target)
        silent = isinstance(exc, requests.Timeout)
        if silent or not target.scheme.endswith("+http") or not _speaks_tls(host, port, deadline):
            raise
        raise errors.ConnectError(
            f"port {port} of {host} speaks TLS, and the URL says that there is none", hint=f"hyperv://{host}:{port}"
        ) from exc


def _speaks_tls(host: str, port: int, deadline: Deadline) -> bool:
    """Make a handshake, and send nothing: the certificate does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    seconds = min(_SECONDS, deadline.remaining())
    if seconds <= 0:
        return False
    try:
        with (
            socket.create_connection((host, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except (OSError, ValueError):
        return False
