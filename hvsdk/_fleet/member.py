"""One host of a fleet: made when it is first needed, and watched over by its circuits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from hvsdk._endpoint import make_endpoint, take
from hvsdk._fleet.circuit import CredentialCircuit, HostCircuit, LoginGate
from hvsdk._url import parse_url
from hvsdk.errors import NotTriedError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hvsdk._fleet.config import Endpoint
    from hvsdk._host import Host

__all__ = ["Member", "credential_key", "shown_url"]


class Member:
    """A host, whether it can be reached or not. Safe to share between threads.

    Args:
        endpoint: What the fleet's file says of it.
        credential: The circuit that it shares with all that log in with the same credential; `None` where it has none.
        host: The host, where the caller has connected to it already, and closes it.
    """

    def __init__(self, endpoint: Endpoint, credential: CredentialCircuit | None, host: Host | None = None) -> None:
        self.endpoint = endpoint
        self.name = endpoint.name
        self.url = shown_url(endpoint)
        self.circuit = HostCircuit(endpoint.name)
        self.credential = credential
        deadline = endpoint.arguments.get("deadline")
        self.seconds: float | None = None if deadline is None else float(deadline)
        self._host: Host | None = host
        self._lent = host is not None
        self._lock = threading.Lock()

    def host(self) -> Host:
        """Return the host; it is connected to when something is first asked of it."""
        with self._lock:
            if self._host is None or (self._host.closed and not self._lent):
                self._host = self._made()
            return self._host

    @property
    def has_literal_secret(self) -> bool:
        """Whether it was given a password itself, and not the place where one is."""
        secret = self.endpoint.arguments.get("password")
        return isinstance(secret, str) or parse_url(self.endpoint.url).password is not None

    @property
    def has_host(self) -> bool:
        """Whether the host has been made."""
        return self._host is not None

    def _made(self) -> Host:
        arguments: dict[str, Any] = dict(self.endpoint.arguments)
        taken = take(self.endpoint.url, arguments.pop("password", None))
        if isinstance(taken, Exception):
            raise taken.with_traceback(None)
        location, given = taken
        names = ("username", "verify", "tls", "timeout", "deadline", "readonly", "allow", "backend")
        known = {name: arguments.pop(name) for name in names if name in arguments}
        defaults: dict[str, Any] = {"username": None, "verify": True, "tls": None, "timeout": 30.0, "deadline": None}
        defaults |= {"readonly": False, "allow": (), "backend": None}
        host = make_endpoint(location, given, options=arguments, **(defaults | known))
        if self.credential is not None:
            host._door.gate = LoginGate(self.credential, self.name)
        return host

    # ---- circuits ----------------------------------------------------------------------------------------

    def refusal(self) -> NotTriedError | None:
        """Return why it is not to be asked now."""
        refusal = self.circuit.refusal()
        if refusal is None and self.credential is not None and not self.opened:
            refusal = self.credential.refusal(self.name)
        return refusal

    @property
    def opened(self) -> bool:
        """Whether there has been a connection."""
        host = self._host
        return host is not None and host._door.ever_opened

    def may_begin(self) -> bool:
        """Whether it can be asked now; not while others are trying the same credential. `note` ends its turn."""
        return self.credential is None or self.opened or self.credential.reserve(self.name)

    def note(self, error: BaseException | None) -> None:
        """Take in how a question ended, or that its answer is not waited for any more."""
        self.circuit.note(error)
        if self.credential is not None:
            self.credential.leave(self.name)

    def close(self) -> None:
        """Close the connection, if there is one; asked again, it is opened anew."""
        if self._lent:
            return
        with self._lock:
            host, self._host = self._host, None
        if host is not None:
            host.close()

    def __repr__(self) -> str:
        return f"<{self.name} {self.url}>"


def shown_url(endpoint: Endpoint) -> str:
    """Return an endpoint's URL without its password."""
    import attrs

    location = attrs.evolve(parse_url(endpoint.url), password=None)
    username = endpoint.arguments.get("username")
    return (attrs.evolve(location, username=username) if username else location).text()


def credential_key(endpoint: Endpoint) -> Hashable | None:
    """Return what endpoints have in common that log in with the same credential; `None` where that cannot be told."""
    secret = endpoint.arguments.get("password")
    location = parse_url(endpoint.url)
    username = endpoint.arguments.get("username") or location.username
    if secret is None:
        secret = location.password
    return None if secret is None and username is None else (username, secret)
