"""Logging in: with which credentials, by which protocol, and where encryption is asked for."""

from __future__ import annotations

import ipaddress
import ssl
from typing import Literal
from urllib.parse import quote

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

from hvsdk_hyperv._client_certificate import show_certificate
from hvsdk_hyperv._quiet import keep_logins_out_of_logs

__all__ = ["Login", "endpoint_of", "is_loopback", "login_of", "port_of"]

Transport = Literal["basic", "certificate", "credssp", "kerberos", "ntlm"]
_KINDS: dict[str, tuple[type[Credentials], ...]] = {
    "basic": (PasswordCredentials,),
    "certificate": (KeyCredentials,),
    "credssp": (PasswordCredentials,),
    "kerberos": (KerberosCredentials,),
    "ntlm": (PasswordCredentials,),
}
_WANTED = {
    "certificate": "a client certificate: password=KeyCredentials(…)",
    "kerberos": "a ticket, which kinit gets, and no password: password=KerberosCredentials()",
}
_PATH = "wsman"
"""Where WinRM is, unless its URLPrefix says otherwise."""


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
    path = quote(target.path.strip("/")) or _PATH
    return f"{'http' if plain else 'https'}://{shown}:{port_of(target)}/{path}"


def port_of(target: Target) -> int:
    """Return the port, which WinRM's own is unless the URL has one."""
    return target.port or (5985 if target.scheme.endswith("+http") else 5986)


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
    keep_logins_out_of_logs()
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
    context = None if plain else tls_context(target.tls)
    if isinstance(found, KeyCredentials) and context is not None:
        show_certificate(context, found)
    return Login(endpoint=endpoint_of(target), transport=transport, context=context, **_of(found, target))


def _of(found: Credentials | None, target: Target) -> dict[str, str | None]:
    """Return what a `Login` has of the credentials."""
    if isinstance(found, KeyCredentials):
        return {"certificate_file": found.certificate_file or found.key_file, "key_file": found.key_file}
    if not isinstance(found, PasswordCredentials):
        principal = found.principal if isinstance(found, KerberosCredentials) else None
        return {"username": principal or target.username or ""}
    username = found.username or target.username
    if not username:
        raise errors.AuthenticationError(
            "Windows wants a user's name, and none was given", hint=r"such as user@domain, DOMAIN\user or a local one"
        )
    return {"username": username, "password": found.password}


def _transport(wanted: str, found: Credentials | None) -> Transport:
    """Return the protocol for these credentials: NTLM for a password, unless another one is asked for."""
    if found is None and wanted == "kerberos":
        return "kerberos"  # with the ticket of the process
    if found is None:
        raise errors.AuthenticationError(
            "no credentials were given", hint="connect(…, password=…), HVSDK_HYPERV_PASSWORD, or --ask"
        )
    if wanted == "auto":
        if isinstance(found, KerberosCredentials):
            return "kerberos"
        return "certificate" if isinstance(found, KeyCredentials) else "ntlm"
    if not isinstance(found, _KINDS[wanted]):
        raise errors.AuthenticationError(
            f"transport={wanted!r} cannot log in with {found.kind} credentials",
            hint=f"it takes {_WANTED.get(wanted, 'a password')}",
        )
    return wanted  # type: ignore[return-value]


def _have(transport: Transport) -> None:
    present = {"kerberos": vendor.HAVE_KERBEROS, "credssp": vendor.HAVE_CREDSSP}.get(transport, True)
    if not present:
        raise errors.UnsupportedError(
            f"logging in with {transport} needs a library that is not installed",
            hint=f"pip install 'hvsdk-hyperv[{transport}]'",
        )
