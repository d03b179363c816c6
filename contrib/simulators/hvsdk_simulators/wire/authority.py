"""An authority that signs certificates of clients, which name who they are by a principal name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["UPN", "Authority", "Issued"]

UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""What Windows keeps a user's principal name under, among a subject's other names."""


@frozen
class Issued:
    """A certificate that was signed, and its key, both in PEM."""

    certificate: str
    key: str = field(repr=False)


class Authority:
    """Signs certificates of clients.

    Args:
        name: What it is called in them.
    """

    def __init__(self, name: str) -> None:
        self._key: ec.EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self._name, self._key.public_key(), timedelta(days=3650))
        made = builder.add_extension(basic, critical=True).add_extension(usage, critical=True)
        self.certificate = _text(made.sign(self._key, hashes.SHA256()))
        """In PEM."""

    @classmethod
    def read(cls, certificate: str, key: str) -> Authority:
        """Return the authority of a certificate and its key, both in PEM.

        Raises:
            ValueError: They are none.
        """
        found = serialization.load_pem_private_key(key.encode(), None)
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise ValueError("the key is none of an authority's")
        made = cls.__new__(cls)
        made._key = found
        made._name = x509.load_pem_x509_certificate(certificate.encode()).subject
        made.certificate = certificate
        return made

    @property
    def key(self) -> str:
        """The private key in PEM."""
        return _key_text(self._key, None)

    def issue(self, principal: str, *, passphrase: str | None = None, valid: timedelta = timedelta(days=30)) -> Issued:
        """Sign a certificate of a client.

        Args:
            principal: As `user@host`; at most 127 bytes.
            passphrase: What the key is encrypted with, if it is.
            valid: From yesterday on; negative for what is over.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, principal.partition("@")[0])])
        other = x509.OtherName(UPN, b"\x0c" + bytes([len(principal.encode())]) + principal.encode())
        builder = (
            self._builder(name, key.public_key(), valid)
            .add_extension(x509.SubjectAlternativeName([other]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        )
        return Issued(_text(builder.sign(self._key, hashes.SHA256())), _key_text(key, passphrase))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta) -> x509.CertificateBuilder:
        end = datetime.now(UTC).replace(microsecond=0) + valid
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - abs(valid) - timedelta(days=1))
            .not_valid_after(end)
        )


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_text(key: ec.EllipticCurvePrivateKey, passphrase: str | None) -> str:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()
