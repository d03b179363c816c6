"""Who is on a connection: basic for each request, NTLM once for all of them, with a key for their bodies."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field

from hvsdk_simulators.wire.request import Request

__all__ = ["Accounts", "Connection", "Connections", "Unauthorized"]


class Unauthorized(Exception):
    """The request is answered with 401.

    Attributes:
        challenges: Values of `WWW-Authenticate`.
    """

    def __init__(self, *challenges: str) -> None:
        super().__init__()
        self.challenges = challenges


class Accounts:
    """Users and their passwords. NTLM's side reads them from a file, as its library wants it."""

    def __init__(self, passwords: Mapping[str, str], directory: Path) -> None:
        self._passwords = {name.lower(): (name, password) for name, password in passwords.items()}
        descriptor, path = tempfile.mkstemp(dir=directory)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f":{name}:{password}\n" for name, password in passwords.items())
        os.environ["NTLM_USER_FILE"] = path

    def check(self, name: str, password: str) -> str:
        """Return the user's proper name.

        Raises:
            Unauthorized: There is none of that password.
        """
        known = self._passwords.get(name.rpartition("\\")[2].lower())
        if known is None or not hmac.compare_digest(known[1].encode(), password.encode()):
            raise Unauthorized
        return known[0]

    def proper(self, principal: str) -> str:
        """Return the proper name of a user whom NTLM has let in."""
        name = principal.rpartition("\\")[2]
        known = self._passwords.get(name.lower())
        return known[0] if known else name


@define(eq=False)
class Connection:
    """What is known of a connection."""

    user: str | None = None
    """Who was let in by NTLM, for all requests."""
    security: Any = None
    """What encrypts the bodies; of NTLM's library."""
    handshake: Any = None
    lock: threading.Lock = field(factory=threading.Lock)


class Connections:
    """All connections, as long as they are open.

    Args:
        accounts: The users.
        secure: Whether there is TLS.
        unencrypted: Whether basic and plain bodies are allowed without TLS.
    """

    def __init__(self, accounts: Accounts, *, secure: bool, unencrypted: bool = False) -> None:
        self._accounts = accounts
        self._basic = secure or unencrypted
        self.plain = secure or unencrypted
        """Whether bodies may come as they are."""
        self._known: WeakKeyDictionary[Any, Connection] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def challenges(self) -> tuple[str, ...]:
        """The ways to log in, as a refusal tells them."""
        return ("Negotiate", 'Basic realm="WSMAN"') if self._basic else ("Negotiate",)

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
        """
        given = request.headers.get("authorization", "")
        kind, _, value = given.partition(" ")
        try:
            if not given and connection.user is not None:
                return connection.user
            if kind.lower() == "basic" and self._basic:
                name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
                return self._accounts.check(name, password)
            if kind.lower() in ("negotiate", "ntlm"):
                return self._negotiate(connection, kind, base64.b64decode(value, validate=True))
        except (Unauthorized, binascii.Error, UnicodeDecodeError) as error:
            if isinstance(error, Unauthorized) and error.challenges:
                raise
        raise Unauthorized(*self.challenges)

    def _negotiate(self, connection: Connection, kind: str, token: bytes) -> str:
        import spnego

        if connection.handshake is None or token.startswith(b"NTLMSSP\x00\x01"):
            connection.user = connection.security = None
            connection.handshake = spnego.server(protocol="negotiate")
        handshake = connection.handshake
        try:
            answer = handshake.step(token)
        except Exception:  # tokens that are none end in errors of many kinds
            connection.handshake = None
            raise Unauthorized from None
        if not handshake.complete:
            raise Unauthorized(f"{kind} {base64.b64encode(answer or b'').decode()}")
        connection.handshake = None
        connection.security = handshake
        connection.user = self._accounts.proper(handshake.client_principal or "")
        return connection.user
