"""Bodies that are encrypted with the key of the login, in the two parts that [MS-WSMV] 2.2.9.1 gives them."""

from __future__ import annotations

import re
import struct
from typing import Any

__all__ = ["CONTENT_TYPE", "SealError", "is_sealed", "seal", "unseal"]

_PROTOCOL = b"application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
_BOUNDARY = b"--Encrypted Boundary"
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"


class SealError(Exception):
    """The body is not what it should be, or was encrypted with another key."""


def is_sealed(content_type: str) -> bool:
    """Whether a body says of itself that it is encrypted."""
    return content_type.lower().startswith("multipart/encrypted")


def unseal(body: bytes, security: Any) -> bytes:
    """Return the plain body.

    Raises:
        SealError: It cannot be.
    """
    head, found, rest = body.partition(b"application/octet-stream\r\n")
    if not found or not head.startswith(_BOUNDARY) or not rest.endswith(_BOUNDARY + b"--\r\n"):
        raise SealError
    length = re.search(rb"Length=(\d+)", head)
    sealed = rest[: -len(_BOUNDARY) - 4]
    if length is None or len(sealed) < 4:
        raise SealError
    (size,) = struct.unpack("<I", sealed[:4])
    try:
        plain: bytes = security.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
    except Exception as error:  # what was sealed otherwise ends in errors of many kinds
        raise SealError from error
    if len(plain) != int(length[1]):
        raise SealError
    return plain


def seal(plain: bytes, security: Any) -> bytes:
    """Return the encrypted body."""
    wrapped = security.wrap_winrm(plain)
    original = b"type=application/soap+xml;charset=UTF-8;Length=%d" % len(plain)
    parts: bytes = (
        _BOUNDARY
        + b"\r\n\tContent-Type: "
        + _PROTOCOL
        + b"\r\n\tOriginalContent: "
        + original
        + b"\r\n"
        + _BOUNDARY
        + b"\r\n"
        + _OCTETS
        + struct.pack("<I", len(wrapped.header))
        + wrapped.header
        + wrapped.data
        + _BOUNDARY
        + b"--\r\n"
    )
    return parts
