"""Logins by the client's certificate: who signed it, and which user its principal name is mapped to."""

from __future__ import annotations

import ssl
from pathlib import Path

from attrs import field, frozen
from cryptography import x509

from hvsdk_simulators.wire.authority import UPN, Authority

from .accounts import Accounts, Refusal

__all__ = ["HEADER", "ClientCertificates", "ResetError"]

HEADER = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
"""What a client says in `Authorization` that wants to be known by its certificate."""


class ResetError(Exception):
    """Windows ends the connection without an answer."""


@frozen
class ClientCertificates:
    """An authority of clients, and a mapping from principal names to users, as `WSMan:\\localhost\\ClientCertificate` has.

    Attributes:
        authority: Signs what clients show.
        mapped: Users by principal name in lower case.
    """

    authority: Authority = field(factory=lambda: Authority("Clients of HV"))
    mapped: dict[str, str] = field(factory=dict)

    def ask(self, context: ssl.SSLContext) -> None:
        """Let a server ask for certificates, from those who have one."""
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.certificate)

    def user(self, connection: object, accounts: Accounts) -> str:
        """Return the user whom a connection's certificate is mapped to.

        Raises:
            Refusal: There is no certificate, or nobody has it.
            ResetError: The connection has TLS 1.3, in which Windows asks for a certificate in a way that clients refuse.
        """
        if not isinstance(connection, ssl.SSLSocket):
            raise Refusal
        if connection.version() == "TLSv1.3":
            raise ResetError
        shown = connection.getpeercert(binary_form=True)
        name = _principal(x509.load_der_x509_certificate(shown)) if shown else None
        user = self.mapped.get((name or "").lower())
        if user is None:
            raise Refusal
        return accounts.admit(user)

    def write(self, folder: Path, principal: str) -> None:
        """Write the authority's files, and a client's with this principal name, of whom nobody need know yet."""
        client = self.authority.issue(principal)
        files = {
            "ca.pem": self.authority.certificate,
            "ca.key": self.authority.key,
            "client.pem": client.certificate,
            "client.key": client.key,
        }
        for name, text in files.items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(text)


def _principal(certificate: x509.Certificate) -> str | None:
    """Return the principal name among the subject's other names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for other in names.get_values_for_type(x509.OtherName):
        if other.type_id == UPN and len(other.value) > 2:
            return other.value[2:].decode("utf-8", "replace")  # tag and length of a short UTF8String come first
    return None
