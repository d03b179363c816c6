"""TLS of servers that stand in for others: a key and a certificate of its own for each."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Identity", "make_identity", "server_context", "show"]

_DAYS = 3650


@frozen
class Identity:
    """A certificate that nobody has signed but its own key."""

    certificate: str
    """In PEM."""
    key: str = field(repr=False)
    """In PEM."""
    fingerprint: str
    """SHA-256 of the certificate: `sha256:` and hexadecimal digits."""
    not_before: datetime
    not_after: datetime


def make_identity(name: str, addresses: Sequence[str]) -> Identity:
    """Make a certificate for a name and for addresses, as hosts make one when they are installed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    end = begin + timedelta(days=_DAYS)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}",
        begin,
        end,
    )


def server_context(identity: Identity, *, legacy: bool = False) -> ssl.SSLContext:
    """Make what a server speaks TLS with; `legacy` is TLS 1.0 and nothing newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if legacy:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is asked for
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
    show(context, identity.certificate, identity.key)
    return context


def show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Let a server show a certificate, also one that listens already: those who connect from now on get it.

    Args:
        context: What the server speaks TLS with.
        certificate: In PEM, with those after it that it was signed by, if any.
        key: Its private key in PEM.

    Raises:
        ssl.SSLError: These are no certificate and key, or not of each other.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "server.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{certificate.strip()}\n{key}")
        context.load_cert_chain(path)
