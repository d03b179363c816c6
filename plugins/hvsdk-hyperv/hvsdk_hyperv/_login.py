"""Logging in: with which credentials, by which protocol, and where encryption is asked for."""

from __future__ import annotations

import ipaddress
import ssl
from typing import Literal

import attrs
from hvsdk.driver import (
    Credentials,
    KerberosCredentials,
    KeyCredentials,
    PasswordCredentials,
    Target,
    errors,
    tls_context,
)
from winrm import transport as vendor

__all__ = ["Login", "endpoint_of", "is_loopback", "login_of"]

Transport = Literal["basic", "certificate", "credssp", "kerberos", "ntlm"]
_KINDS: dict[str, tuple[type[Credentials], ...]] = {
    "basic": (PasswordCredentials,),
    "certificate": (KeyCredentials,),
    "credssp": (PasswordCredentials,),
    "kerberos": (KerberosCredentials, PasswordCredentials),
    "ntlm": (PasswordCredentials,),
}
_WORDS = {"basic": "a password", "certificate": "a client certificate", "kerberos": "Kerberos", "ntlm": "a password"}


@attrs.frozen(kw_only=True)
class Login:
    """How one logs in. Its repr shows no secret."""

    endpoint: str
    transport: Transport
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    certificate_file: str | None = None
    key_file: str | None = None
    context: ssl.SSLContext | None = attrs.field(default=None, eq=False, repr=False)
    """How the server's certificate is checked; `None` without TLS."""

    @property
    def encryption(self) -> Literal["always", "never"]:
        """Whether WinRM encrypts each message: without TLS, by all that can."""
        return "always" if self.context is None and self.transport != "basic" else "never"


def endpoint_of(target: Target) -> str:
    """Return the URL of the service."""
    plain = target.scheme.endswith("+http")
    host = target.hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return f"{'http' if plain else 'https'}://{shown}:{target.port or (5985 if plain else 5986)}/wsman"


def is_loopback(hostname: str | None) -> bool:
    """Whether a name or an address is this machine itself."""
    if hostname is None or hostname.lower() in ("localhost", "ip6-localhost"):
        return True
    try:
        return ipaddress.ip_address(hostname.partition("%")[0]).is_loopback
    except ValueError:
        return False


def login_of(target: Target) -> Login:
    """Return how to log in with the credentials as they are now.

    Raises:
        AuthenticationError: There are none, or the protocol that was asked for cannot use them.
        ConnectError: They would cross the network in the clear.
        UnsupportedError: A library that the protocol needs is not installed.
    """
    found = target.credentials("password", "key", "kerberos")
    transport = _transport(str(target.options.get("transport") or "auto"), found)
    plain = target.scheme.endswith("+http")
    if plain and transport == "certificate":
        raise errors.ConnectError("a client certificate needs TLS", hint="hyperv://, not hyperv+http://")
    if plain and transport == "basic" and not is_loopback(target.hostname):
        raise errors.ConnectError(
            "transport='basic' sends the password in the clear without TLS",
            hint="hyperv:// has TLS; ntlm and kerberos encrypt each message also without it",
        )
    _have(transport)
    more: dict[str, str | None] = {}
    if isinstance(found, KeyCredentials):
        more = {"certificate_file": found.certificate_file or found.key_file, "key_file": found.key_file}
        if found.passphrase:
            raise errors.AuthenticationError("the key file must not be encrypted: WinRM's client cannot open it")
    elif isinstance(found, KerberosCredentials):
        more = {"username": found.principal or target.username or ""}
    elif isinstance(found, PasswordCredentials):
        more = {"username": found.username or target.username, "password": found.password}
        if not more["username"]:
            raise errors.AuthenticationError(
                "Windows wants a user's name, and none was given",
                hint=r"such as user@domain, DOMAIN\user or a local one",
            )
    context = None if plain else tls_context(target.tls)
    return Login(endpoint=endpoint_of(target), transport=transport, context=context, **more)


def _transport(wanted: str, found: Credentials | None) -> Transport:
    """Return the protocol for these credentials: NTLM for a password, unless another one is asked for."""
    if found is None:
        raise errors.AuthenticationError("no credentials were given", hint="connect(…, password=…)")
    if wanted == "auto":
        if isinstance(found, KerberosCredentials):
            return "kerberos"
        return "certificate" if isinstance(found, KeyCredentials) else "ntlm"
    if not isinstance(found, _KINDS[wanted]):
        raise errors.AuthenticationError(
            f"transport={wanted!r} cannot log in with {found.kind} credentials",
            hint=f"it takes {_WORDS.get(wanted, 'a password')}",
        )
    return wanted  # type: ignore[return-value]


def _have(transport: Transport) -> None:
    present = {"kerberos": vendor.HAVE_KERBEROS, "credssp": vendor.HAVE_CREDSSP}.get(transport, True)
    if not present:
        raise errors.UnsupportedError(
            f"logging in with {transport} needs a library that is not installed",
            hint=f"pip install 'hvsdk-hyperv[{transport}]'",
        )
