"""The wrong port: one with TLS where none was meant, and the other way round."""

from __future__ import annotations

import socket
import ssl

from hvsdk.driver import Deadline, Target, errors

__all__ = ["explain", "with_tls"]

_SECONDS = 5.0
_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"))
"""What OpenSSL says of an answer that is none of TLS."""


def with_tls(target: Target, port: int, deadline: Deadline) -> errors.ConnectError | None:
    """Return an error that tells of TLS, where a URL without it names a port that has it.

    A handshake is made and nothing sent: the certificate does not matter.
    """
    host = target.hostname or "localhost"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    seconds = min(_SECONDS, deadline.remaining())
    if seconds <= 0:
        return None
    try:
        with (
            socket.create_connection((host, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            pass
    except (OSError, ValueError):
        return None
    return errors.ConnectError(
        f"port {port} of {host} speaks TLS, and the URL says that there is none", hint=f"hyperv://{host}:{port}"
    )


def explain(error: errors.ConnectError) -> None:
    """Let the error of a handshake say what to do, where the port has no TLS."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
        error.hint = "is it the right port? WinRM without TLS is hyperv+http://, on port 5985 unless told otherwise"
