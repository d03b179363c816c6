"""Connecting to a server: its names and addresses, TLS, and the time that all of that may take."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import attrs

from hvsdk._deadline import Deadline

__all__ = ["Endpoint", "UnreachableError", "dial", "seconds_left"]


class UnreachableError(ConnectionError):
    """The server cannot be reached; nothing was sent to it."""


@attrs.frozen
class Endpoint:
    """Where a server is reached. Two are equal that have the same name and port.

    Attributes:
        host: Its name or address; IPv6 without brackets.
        port: The TCP port.
        context: How its certificate is checked, as `hvsdk.driver.tls_context` makes it; `None` without TLS.
        check: Called with the certificate that it showed (DER) before anything is sent to it; raises `CertificateError` for
            one that is not to be trusted.
    """

    host: str
    port: int
    context: ssl.SSLContext | None = attrs.field(default=None, eq=False, repr=False)
    check: Callable[[bytes], None] | None = attrs.field(default=None, eq=False, repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def dial(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """Connect, and begin TLS where the endpoint has it, in the time that is left.

    Raises:
        CertificateError: The server's certificate is not accepted; nothing was sent to it.
        OSError: There is no way there; a name or port that is none, such as a server may tell, counts as unknown.
    """
    try:
        plain = _reach(endpoint, deadline)
        try:
            return _secured(plain, endpoint, deadline)
        except BaseException:
            plain.close()
            raise
    except ssl.SSLError:  # some are a ValueError, too
        raise
    except (ValueError, OverflowError) as exc:  # what `socket` and `ssl` say of names and ports that are none
        raise socket.gaierror(socket.EAI_NONAME, f"{str(endpoint)!r} is no address") from exc


def _reach(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """Connect to one of the addresses that a name stands for.

    Each gets a share of the time, so that one which says nothing leaves some to the next, and all of them keep the deadline.
    """
    failure: OSError = socket.gaierror(socket.EAI_NONAME, f"{endpoint.host!r} has no address")
    places = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    for left, (family, kind, protocol, _, address) in zip(range(len(places), 0, -1), places, strict=True):
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                seconds = seconds_left(deadline)
                sock.settimeout(seconds / left if seconds is not None else None)
                sock.connect(address)
            except BaseException:
                sock.close()
                raise
        except OSError as exc:
            failure = exc
        else:
            return sock
    raise failure


def _secured(plain: socket.socket, endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if endpoint.context is None:
        return plain
    plain.settimeout(seconds_left(deadline))
    encrypted = endpoint.context.wrap_socket(plain, server_hostname=endpoint.host)
    if endpoint.check is not None:
        try:
            endpoint.check(encrypted.getpeercert(binary_form=True) or b"")
        except BaseException:
            encrypted.close()
            raise
    return encrypted


def seconds_left(deadline: Deadline) -> float | None:
    """Return what a socket may take now: seconds, or `None` for any time.

    Raises:
        TimeoutError: None are left.
    """
    seconds = deadline.remaining()
    if seconds <= 0:
        raise TimeoutError("the time was up")
    return None if seconds == float("inf") else seconds
