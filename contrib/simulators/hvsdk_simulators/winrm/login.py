"""Who is on a connection: basic and certificates for each request, handshakes once for all of them, with a key for bodies."""

from __future__ import annotations

import base64
import binascii
import ssl
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field, frozen

from hvsdk_simulators.wire.request import Request

from . import handshakes
from .accounts import Accounts, Refusal
from .client_certificates import HEADER, ClientCertificates
from .handshakes import Handshake

__all__ = ["Connection", "Connections", "Unauthorized", "Ways"]


class Unauthorized(Exception):
    """The request is answered with 401.

    Attributes:
        challenges: Values of `WWW-Authenticate`.
    """

    def __init__(self, *challenges: str) -> None:
        super().__init__()
        self.challenges = challenges


@frozen(kw_only=True)
class Ways:
    """How one may log in, beside Negotiate.

    Attributes:
        secure: Whether there is TLS.
        unencrypted: Whether basic and plain bodies are allowed without TLS.
        credssp: Whether CredSSP is enabled.
        kerberos: The host's name in a keytab, for logins by Kerberos.
        certificates: The clients' certificates, if they may log in by them.
        newest_tls: The newest version of TLS within CredSSP.
    """

    secure: bool
    unencrypted: bool = False
    credssp: bool = False
    kerberos: str | None = None
    certificates: ClientCertificates | None = None
    newest_tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2


@define(eq=False)
class Connection:
    """What is known of a connection."""

    user: str | None = None
    """Who was let in by a handshake, for all requests."""
    security: Any = None
    """What encrypts the bodies; of the handshake's library."""
    way: str = ""
    """The handshake's scheme, in lower case."""
    handshake: Handshake | None = None
    lock: threading.Lock = field(factory=threading.Lock)


class Connections:
    """All connections, as long as they are open.

    Args:
        accounts: The users.
        ways: How they may log in.
        count: Told of each request that has credentials, of each login and of each that is refused.
    """

    def __init__(self, accounts: Accounts, ways: Ways, count: Callable[[str], None] = lambda name: None) -> None:
        self._accounts = accounts
        self._ways = ways
        self._count = count
        self.plain = ways.secure or ways.unencrypted
        """Whether bodies may come as they are."""
        self._known: WeakKeyDictionary[Any, Connection] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def challenges(self) -> tuple[str, ...]:
        """The ways to log in, as a refusal tells them."""
        offered = {
            "Negotiate": True,
            "Kerberos": self._ways.kerberos is not None,
            'Basic realm="WSMAN"': self.plain,
            "CredSSP": self._ways.credssp,
        }
        return tuple(name for name, there in offered.items() if there)

    def of(self, request: Request) -> tuple[Connection, bool]:
        """Return what is known of a request's connection, and whether it is a new one."""
        with self._lock:
            found = self._known.get(request.connection)
            if found is not None:
                return found, False
            fresh = self._known[request.connection] = Connection()
            return fresh, True

    def log_in(self, connection: Connection, request: Request) -> str:
        """Return the user of a request.

        Raises:
            Unauthorized: It has none, or none yet.
            ResetError: It is not answered.
        """
        given = request.headers.get("authorization", "")
        if not given:
            if connection.user is None:
                raise Unauthorized(*self.challenges)
            return connection.user
        self._count("/authorization")
        try:
            user = self._decide(connection, request, given)
        except (Refusal, binascii.Error, UnicodeDecodeError):
            connection.user = connection.security = connection.handshake = None
            self._count("/logins/refused")
            raise Unauthorized(*self.challenges) from None
        self._count("/logins")
        return user

    def _decide(self, connection: Connection, request: Request, given: str) -> str:
        scheme, _, value = given.partition(" ")
        way = scheme.lower()
        if given == HEADER and self._ways.certificates is not None:
            return self._ways.certificates.user(request.connection, self._accounts)
        if way == "basic" and self.plain:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            return self._accounts.check(name, password)
        if way in ("negotiate", "ntlm") or (way == "kerberos" and self._ways.kerberos):
            return self._step(connection, request, scheme, base64.b64decode(value, validate=True))
        if way == "credssp" and self._ways.credssp:
            return self._step(connection, request, scheme, base64.b64decode(value, validate=True))
        raise Refusal

    def _step(self, connection: Connection, request: Request, scheme: str, token: bytes) -> str:
        way = "negotiate" if scheme.lower() == "ntlm" else scheme.lower()
        if connection.handshake is None or connection.way != way or token.startswith(b"NTLMSSP\x00\x01"):
            connection.user = connection.security = None
            connection.handshake, connection.way = self._begin(way), way
        handshake = connection.handshake
        answer = base64.b64encode(handshake.step(token)).decode()
        if handshake.refused:
            connection.handshake = None
            self._count("/logins/refused")
        if not handshake.complete:
            raise Unauthorized(f"{scheme} {answer}")
        connection.handshake = None
        connection.user = handshake.user()
        connection.security = handshake.security
        if answer:
            request.also["WWW-Authenticate"] = f"{scheme} {answer}"  # in which the host proves who it is
        return connection.user

    def _begin(self, way: str) -> Handshake:
        if way == "credssp":
            return handshakes.credssp(self._accounts, self._ways.newest_tls)
        return handshakes.negotiate(self._accounts, self._ways.kerberos or "localhost")
