"""What `verify=` and `tls=` mean, and where they are refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hvsdk._driver.target import TLSOptions
from hvsdk._url import is_loopback
from hvsdk.errors import UnsupportedError

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend

__all__ = ["check_tls", "tls_options"]

_PIN = re.compile(
    r"(?:sha-?256(?:\s*fingerprint)?[:= ]*)?((?:[0-9a-f]{2}[: ]?){31}[0-9a-f]{2})", re.ASCII | re.IGNORECASE
)
"""A fingerprint as we, openssl and browsers write it."""
_LIKE_PIN = re.compile(r"sha-?(?:1|256)\s*(?:fingerprint|[:=]).*|[0-9a-f: ]{20,}", re.ASCII | re.IGNORECASE | re.DOTALL)


def tls_options(verify: Any, tls: str | None) -> TLSOptions:
    """Read the arguments `verify` and `tls` of `connect`.

    Raises:
        ValueError: `verify` is neither a bool, a CA file that is there nor pins, or `tls` is not `"legacy"`.
    """
    if tls not in (None, "legacy"):
        raise ValueError(f'tls= is None or "legacy", not {tls!r}')
    legacy = tls == "legacy"
    if isinstance(verify, bool):
        return TLSOptions(verify=verify, legacy=legacy)
    if isinstance(verify, str) and _LIKE_PIN.fullmatch(verify.strip()):
        return TLSOptions(pins=(_pin(verify),), legacy=legacy)
    if isinstance(verify, (str, os.PathLike)):
        return TLSOptions(ca_file=_ca_file(verify), legacy=legacy)
    if isinstance(verify, Iterable) and (pins := tuple(_pin(pin) for pin in verify)):
        return TLSOptions(pins=pins, legacy=legacy)
    raise ValueError('verify= is True, False, a CA file, "sha256:<fingerprint>" or several fingerprints in a list')


def check_tls(backend: Backend, scheme: str, hostname: str | None, options: TLSOptions) -> str | None:
    """Refuse what the backend cannot do, and return what to warn of.

    Raises:
        UnsupportedError: The scheme has no TLS and goes over the network, or the backend cannot do what was asked.
    """
    if scheme in backend.loopback_only:
        return _check_without_tls(backend, scheme, hostname, options)
    if scheme not in backend.tls_schemes:
        if options != TLSOptions():
            raise UnsupportedError(
                f"{scheme}:// takes no verify= and no tls=", backend=backend.name, hint=backend.tls_hint or None
            )
        return None
    if options.pins and not backend.pins:
        raise UnsupportedError(
            f"{scheme}:// cannot check a certificate against a sha256: pin",
            backend=backend.name,
            hint=backend.tls_hint or "verify= takes a CA file",
        )
    if options.verify:
        return None
    return f"{scheme}://{hostname or ''}: the server's certificate is not checked; give its fingerprint in verify="


def _check_without_tls(backend: Backend, scheme: str, hostname: str | None, options: TLSOptions) -> str | None:
    if options.pins or options.ca_file or options.legacy:
        raise UnsupportedError(f"{scheme}:// has no TLS: there is no certificate to check", backend=backend.name)
    if is_loopback(hostname):
        return None
    if options.verify:
        raise UnsupportedError(
            f"{scheme}:// would send the password to {hostname} in clear text",
            backend=backend.name,
            hint=f"use {scheme.partition('+')[0]}://, or verify=False to accept that",
        )
    return f"{scheme}://{hostname}: password and data are sent in clear text"


def _pin(text: Any) -> str:
    match = _PIN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            "a pin is sha256: and the 64 hexadecimal digits of the certificate's SHA-256 fingerprint, "
            "with or without colons between them"
        )
    return "sha256:" + re.sub("[: ]", "", match[1]).lower()


def _ca_file(path: str | os.PathLike[str]) -> str:
    text = os.path.abspath(os.path.expanduser(os.fspath(path)))
    if not os.path.isfile(text):
        raise ValueError(f"verify= names a CA file that is not there: {text}")
    return text
