"""Logins that were refused: what each way to log in lets one know of the reason."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

from hvsdk.driver import errors
from winrm.exceptions import AuthenticationError, InvalidCredentialsError

_TICKET: tuple[type[Exception], ...] = ()
_MUTUAL: tuple[type[Exception], ...] = ()
_OF_CREDSSP: tuple[type[Exception], ...] = ()
with suppress(ImportError):  # Kerberos is an extra, which this imports
    from winrm.vendor.requests_kerberos.exceptions import KerberosExchangeError, MutualAuthenticationError

    _TICKET, _MUTUAL = (KerberosExchangeError,), (MutualAuthenticationError,)
with suppress(ImportError):  # CredSSP is another one
    from requests_credssp.exceptions import AuthenticationException, NTStatusException

    _OF_CREDSSP = (AuthenticationException, NTStatusException)

__all__ = ["REFUSALS", "LoginRefusedError", "of_certificate", "refusal", "translated"]

REFUSALS: tuple[type[Exception], ...] = (
    *(InvalidCredentialsError, AuthenticationError, PermissionError),
    *_TICKET,
    *_MUTUAL,
    *_OF_CREDSSP,
)
"""What the client's libraries raise where a login is refused."""
_UNAUTHORIZED = 401
_CLOSED = {
    0xC000006E: "may not log in this way, or has no password",
    0xC000006F: "may not log in at this hour",
    0xC0000070: "may not log in from this machine",
    0xC0000071: "has a password that has expired",
    0xC0000072: "is disabled",
    0xC0000193: "has expired",
    0xC0000224: "must change its password before it can log in",
    0xC0000234: "is locked out",
}
"""NTSTATUS of accounts that are refused although the password is right."""
_PASSWORD = (
    "is the password right? Windows says the same of an account that is locked, disabled or expired, or whose password "
    "must be changed; of local administrators other than Administrator without LocalAccountTokenFilterPolicy; and of a "
    "user's domain that is missing (DOMAIN\\user, user@domain)"
)
_HINTS = {
    "basic": "does the host take basic (winrm/config/service/auth: Basic, and AllowUnencrypted where there is no TLS), and "
    + _PASSWORD,
    "credssp": "is the password right? CredSSP would tell of an account that is locked, disabled or expired; it does not "
    "tell of a user's domain that is missing (DOMAIN\\user, user@domain), and of local administrators other than "
    "Administrator without LocalAccountTokenFilterPolicy",
    "certificate": "on the host the certificate's principal name and issuer must be mapped to a local user (New-Item "
    "WSMan:\\localhost\\ClientCertificate), its issuer be trusted, Certificate be true in winrm/config/service/auth, and "
    "the user's account be neither locked, disabled nor expired",
    "kerberos": "klist shows whether there is a ticket, kinit gets one; the URL needs the host's full name, which the "
    "domain knows as HTTP/name or HOST/name; locked, disabled and expired accounts get no ticket, and the clocks must agree",
}
_CREDSSP = {
    "being an available authentication method": (
        "CredSSP is not enabled on the host",
        "on the host, as an administrator: Enable-WSManCredSSP -Role Server; or another transport=",
    ),
    "did not meet the minimum": (
        "the host's CredSSP is from before May 2018, and lets others use the login where there is no TLS (CVE-2018-0886)",
        "update the host, or use hyperv://",
    ),
}
"""What its library says of it, and what that means."""


class LoginRefusedError(Exception):
    """The host did not let the user in.

    Attributes:
        transport: How that was tried.
        status: The NTSTATUS that the host gave as its reason, where it gave one.
        hint: What to look at.
    """

    def __init__(self, message: str, *, transport: str, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.transport = transport
        self.status = status
        self.hint = hint or _HINTS.get(transport, _PASSWORD)


def refusal(exc: BaseException, transport: str) -> LoginRefusedError:
    """Return what one of `REFUSALS` says."""
    told, hint = "Windows refused the credentials", None
    if isinstance(exc, _MUTUAL):
        told = "the host did not prove who it is"
    elif isinstance(exc, _TICKET):
        told = f"Kerberos gave no ticket for the host: {exc}"
    elif isinstance(exc, _OF_CREDSSP):
        told, hint = next((meant for said, meant in _CREDSSP.items() if said in str(exc)), (told, None))
    return LoginRefusedError(told, transport=transport, status=_status(exc), hint=hint)


def of_certificate(exc: BaseException) -> bool:
    """Whether the host broke TLS off for the client's certificate."""
    reason = (exc.reason or "") if isinstance(exc, ssl.SSLError) else ""
    return "ALERT" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED"))


def _status(exc: BaseException) -> int | None:
    """Return the NTSTATUS in an error of CredSSP's, which its library knows a few of by their numbers."""
    base: Any = getattr(exc.__cause__, "base_error", None)
    found = getattr(base, "winerror", None)
    return None if found is None else int(found) % (1 << 32)


def translated(exc: LoginRefusedError) -> errors.AuthenticationError:
    """Return hvsdk's error for it."""
    told, hint, closed = str(exc), exc.hint, _CLOSED.get(exc.status or 0)
    if closed is not None:
        told, hint = f"Windows refused the credentials: the account {closed}", "ask who looks after the accounts"
    return errors.AuthenticationError(told, hint=hint, native_code=exc.status or _UNAUTHORIZED)
