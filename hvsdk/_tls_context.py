"""A TLS context that checks a server as `verify=` and `tls=` say, whatever client library uses it."""

from __future__ import annotations

import hashlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

from hvsdk.errors import CertificateError, ConnectError, HvsdkError

if TYPE_CHECKING:
    from hvsdk._driver.target import TLSOptions

__all__ = ["fingerprint_of", "tls_context"]

_LEGACY_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=0"
_OP_LEGACY_SERVER_CONNECT = 0x4
"""OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT, which Python 3.11 has no name for."""
_TOO_OLD = frozenset(
    (
        *(
            "UNSUPPORTED_PROTOCOL",
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "NO_PROTOCOLS_AVAILABLE",
        ),
        *("DH_KEY_TOO_SMALL", "UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "WRONG_SIGNATURE_TYPE", "INTERNAL_ERROR"),
        *(
            "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
            "NO_SUITABLE_SIGNATURE_ALGORITHM",
            "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        ),
        *("UNKNOWN_PROTOCOL", "BAD_ECPOINT", "EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "NO_SHARED_CIPHER"),
    )
)
"""OpenSSL's words for what a server of the time of TLS 1.0 is refused for."""
_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"))
_WEAK_KEY = frozenset((66, 67, 68))
"""X509_V_ERR_EE_KEY_TOO_SMALL, _CA_KEY_TOO_SMALL, _CA_MD_TOO_WEAK."""
_LOOK_SECONDS = 5.0


def fingerprint_of(certificate: bytes) -> str:
    """Return `"sha256:<hex>"` of a certificate in DER."""
    return "sha256:" + hashlib.sha256(certificate).hexdigest()


def tls_context(tls: TLSOptions) -> ssl.SSLContext:
    """Return a client's context for `http.client`, `xmlrpc.client`, pyvmomi and whatever else takes one.

    The certificate is checked while the handshake is made, before a byte of the caller's is sent. With pins, that is all
    that is checked: neither names nor dates nor authorities count. The context may be shared by threads.

    Raises:
        CertificateError: The CA file holds no certificates. Connections raise it for a certificate that is not
            accepted, with its fingerprint, and `ConnectError` for a server that speaks no TLS of today.
    """
    context = _CheckedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.legacy = tls.legacy
    if tls.legacy:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers(_LEGACY_CIPHERS)
        context.options |= _OP_LEGACY_SERVER_CONNECT
    if tls.pins or not tls.verify:
        context.pins = frozenset(tls.pins)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file:
        try:
            context.load_verify_locations(tls.ca_file)
        except (ssl.SSLError, OSError) as exc:
            raise CertificateError(f"{tls.ca_file} cannot be read as a file of CA certificates in PEM") from exc
    else:
        context.load_default_certs()
    return context


class _CheckedSocket(ssl.SSLSocket):
    """A TLS connection whose handshake includes our check."""

    def do_handshake(self, block: bool = False) -> None:
        context = self.context
        assert isinstance(context, _CheckedContext)
        try:
            super().do_handshake(block)
        except ssl.SSLError as exc:
            error = _explained(exc, self, context)
            self.close()
            if error is None:
                raise
            raise error from exc
        if context.pins:
            self._check_pins(context)

    def _check_pins(self, context: _CheckedContext) -> None:
        found = fingerprint_of(self.getpeercert(binary_form=True) or b"")
        if found not in context.pins:
            name = _name(self)
            self.close()
            raise CertificateError(
                f"the certificate of {name} is not the one that was pinned: its fingerprint is {found}",
                fingerprint=found,
                hint=f"compare it with the server's own; only if it is right, pin it too: verify={found!r}",
            )


class _CheckedContext(ssl.SSLContext):
    """A context whose sockets check pins, and say how to go on when a server is refused."""

    sslsocket_class = _CheckedSocket
    pins: frozenset[str] = frozenset()
    legacy: bool = False

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **more: Any) -> ssl.SSLSocket:
        """Begin TLS. The handshake is always made at once, or by `connect`: OpenSSL would make it unseen later."""
        if len(arguments) > 1:
            arguments = (arguments[0], True, *arguments[2:])
        else:
            more["do_handshake_on_connect"] = True
        return super().wrap_socket(sock, *arguments, **more)

    def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:
        """Refuse: what has no socket makes its handshake where pins are not looked at."""
        raise ValueError("this TLS context is for blocking sockets")


def _explained(exc: ssl.SSLError, sock: ssl.SSLSocket, context: _CheckedContext) -> HvsdkError | None:
    """Return what a failed handshake means, `None` where the connection merely broke."""
    name = _name(sock)
    if isinstance(exc, ssl.SSLCertVerificationError):
        weak = exc.verify_code in _WEAK_KEY and not context.legacy
        found = _look(sock, context.legacy)
        told = f"; its fingerprint is {found}" if found else ""
        pin = f"compare the fingerprint with the server's own, then pin it: verify={found!r}"
        return CertificateError(
            f"the certificate of {name} was not accepted ({exc.verify_message}){told}",
            fingerprint=found,
            hint='its key is as weak as in the time of TLS 1.0: tls="legacy" accepts that'
            if weak
            else pin
            if found
            else None,
        )
    reason = exc.reason or ""
    if reason in _TOO_OLD and not context.legacy:
        return ConnectError(
            f"{name} speaks no TLS of today ({reason})", hint='tls="legacy" also speaks TLS 1.0 and 1.1 with it'
        )
    if reason in _NO_TLS or reason in _TOO_OLD:
        older = "" if context.legacy else '; a very old server needs tls="legacy"'
        return ConnectError(f"{name} speaks no TLS on this port ({reason})", hint=f"is it the right port?{older}")
    return None


def _name(sock: ssl.SSLSocket) -> str:
    if sock.server_hostname:
        return str(sock.server_hostname)
    try:
        return str(sock.getpeername()[0])
    except OSError:
        return "the server"


def _look(sock: ssl.SSLSocket, legacy: bool) -> str | None:
    """Return the fingerprint of what the server shows, on a connection of its own: a handshake that failed keeps none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if legacy:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers(_LEGACY_CIPHERS)
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
        seconds = min(sock.gettimeout() or _LOOK_SECONDS, _LOOK_SECONDS)
        with (
            socket.create_connection(sock.getpeername()[:2], timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=sock.server_hostname) as other,
        ):
            certificate = other.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return None
    return fingerprint_of(certificate) if certificate else None
