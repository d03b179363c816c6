"""Logins of several messages: NTLM and Kerberos by Negotiate, and CredSSP, which hands over the password."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

import spnego
import spnego.tls
from spnego.exceptions import ErrorCode, SpnegoError

from .accounts import Accounts, Refusal

__all__ = ["Handshake", "credssp", "negotiate"]


class Handshake:
    """One login under way: messages go in and out until it is complete.

    Attributes:
        security: What encrypts bodies with the key of the login; of the library.
        refused: Whether the last message is the one that tells why the user is not let in.
    """

    def __init__(self, security: Any, accounts: Accounts) -> None:
        self.security = security
        self.refused = False
        self._accounts = accounts

    @property
    def complete(self) -> bool:
        """Whether no more messages are expected."""
        return bool(self.security.complete)

    def step(self, token: bytes) -> bytes:
        """Take a message, and return the next one; it may be empty.

        Raises:
            Refusal: It is none, or the user is not let in.
        """
        try:
            answer: bytes | None = self.security.step(token)
        except Exception as error:  # tokens that are none end in errors of many kinds
            raise Refusal from error
        return answer or b""

    def user(self) -> str:
        """Return the proper name of the user.

        Raises:
            Refusal: The user is not let in.
        """
        return self._accounts.admit(self.security.client_principal or "")


class _Delegating(Handshake):
    """CredSSP: what counts is the user whose password is handed over, who must be the one who logged in."""

    def user(self) -> str:
        given = self.security.get_extra_info("client_credential")
        proved = super().user()
        if given is None or self._accounts.check(given.username, given.password) != proved:
            raise Refusal
        return proved


def negotiate(accounts: Accounts, service: str) -> Handshake:
    """Begin a login by NTLM or, where there is a keytab, by Kerberos.

    Args:
        service: The host's name in the keytab: of `HTTP/name`.
    """
    return Handshake(spnego.server(protocol="negotiate", hostname=service, service="HTTP"), accounts)


def credssp(accounts: Accounts, newest: ssl.TLSVersion) -> Handshake:
    """Begin a login by CredSSP.

    Args:
        newest: The newest version of TLS that is spoken within it.
    """
    inner = spnego.server(protocol="negotiate")
    outer = spnego.server(protocol="credssp", credssp_negotiate_context=inner, credssp_tls_context=_tls_of(newest))
    made = _Delegating(outer, accounts)
    step = inner.step

    def step_and_look(in_token: bytes | None = None, **more: Any) -> bytes | None:
        """Refuse a closed account as soon as it has proved its password: the reason is sent in place of an answer."""
        try:
            answer = step(in_token, **more)
            # NTLM is the user's as soon as its last message is read, though a checksum of the messages may still follow.
            if inner.complete or (in_token and b"NTLMSSP\x00\x03\x00\x00\x00" in in_token):
                accounts.admit(inner.client_principal or "")
        except (SpnegoError, Refusal) as error:
            made.refused = True
            raise _with_status(error.status if isinstance(error, Refusal) else Refusal().status) from error
        return answer

    setattr(inner, "step", step_and_look)  # noqa: B010 — the library has no hook for it
    return made


def _with_status(status: int) -> SpnegoError:
    """Return an error that the library tells its peer as this NTSTATUS."""
    error = SpnegoError(ErrorCode.failure)
    setattr(error, "_SSPI_CODE", status - (1 << 32))  # noqa: B010 — as Windows writes it, with a sign
    return error


@lru_cache(None)
def _tls_of(newest: ssl.TLSVersion) -> spnego.tls.CredSSPTLSContext:
    """Return what CredSSP speaks TLS with: with a certificate of its own, which nobody checks."""
    import tempfile

    made = spnego.tls.default_tls_context(usage="accept")
    certificate, key, made.public_key = spnego.tls.generate_tls_certificate()
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + key)
        file.flush()
        made.context.load_cert_chain(file.name)
    made.context.maximum_version = newest
    return made
