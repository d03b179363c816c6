"""The client's own certificate, in the context that also checks the server's."""

from __future__ import annotations

import ssl

from hvsdk.driver import KeyCredentials, errors

__all__ = ["show_certificate"]


def show_certificate(context: ssl.SSLContext, credentials: KeyCredentials) -> None:
    """Let connections show the certificate.

    Raises:
        AuthenticationError: The files cannot be read, or the key is not the certificate's.
    """
    certificate = credentials.certificate_file or credentials.key_file
    encrypted = False

    def passphrase() -> str:
        """Without it OpenSSL would ask at the terminal."""
        nonlocal encrypted
        encrypted = True
        return credentials.passphrase or ""

    try:
        context.load_cert_chain(certificate, credentials.key_file, passphrase)
    except ssl.SSLError as exc:
        raise _unusable(certificate, credentials, encrypted) from exc
    except OSError as exc:
        raise errors.AuthenticationError(
            f"the client certificate in {certificate} with its key in {credentials.key_file} cannot be read: {exc.strerror}"
        ) from exc
    # With TLS 1.3 Windows asks for the certificate after the handshake in a way of its own, and resets the connection.
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _unusable(certificate: str, credentials: KeyCredentials, encrypted: bool) -> errors.AuthenticationError:
    if encrypted and not credentials.passphrase:
        return errors.AuthenticationError(
            f"the key in {credentials.key_file} is encrypted", hint="KeyCredentials(…, passphrase=…)"
        )
    if encrypted:
        return errors.AuthenticationError(f"the passphrase is not that of the key in {credentials.key_file}")
    return errors.AuthenticationError(
        f"{certificate} and {credentials.key_file} are no certificate and its private key, in PEM",
        hint="KeyCredentials(key_file=…, certificate_file=…)",
    )
