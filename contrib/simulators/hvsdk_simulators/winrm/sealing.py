"""Bodies that are encrypted with the key of the login, in the parts that [MS-WSMV] 2.2.9.1 gives them."""

from __future__ import annotations

import re
import struct
from typing import Any

__all__ = ["SealError", "is_sealed", "seal", "unseal"]

_PROTOCOLS = {
    "negotiate": "application/HTTP-SPNEGO-session-encrypted",
    "kerberos": "application/HTTP-Kerberos-session-encrypted",
    "credssp": "application/HTTP-CredSSP-session-encrypted",
}
"""By the way of the login."""
_BOUNDARY = b"--Encrypted Boundary"
_HEAD = re.compile(
    rb"--Encrypted Boundary\r\n\s*Content-Type: (?P<protocol>application/HTTP-[A-Za-z]+-session-encrypted)\r\n"
    rb"\s*OriginalContent: type=[^\r\n]*;Length=(?P<length>\d+)\r\n"
    rb"--Encrypted Boundary\r\n\s*Content-Type: application/octet-stream\r\n"
)
_END = _BOUNDARY + b"--\r\n"
_PART = 16 * 1024
"""Bytes of a message that CredSSP has in one part: a record of TLS holds no more."""


class SealError(Exception):
    """The body is not what it should be, or was encrypted with another key."""


def is_sealed(content_type: str) -> bool:
    """Whether a body says of itself that it is encrypted."""
    return content_type.lower().startswith(("multipart/encrypted", "multipart/x-multi-encrypted"))


def unseal(body: bytes, security: Any, way: str) -> bytes:
    """Return the plain body.

    Args:
        security: What encrypts.
        way: How the login was made: a key of `_PROTOCOLS`.

    Raises:
        SealError: It cannot be.
    """
    heads = list(_HEAD.finditer(body))
    if not heads or heads[0].start() or not body.endswith(_END) or (len(heads) > 1 and way != "credssp"):
        raise SealError
    ends = [head.start() for head in heads[1:]] + [len(body) - len(_END)]
    plain = []
    for head, end in zip(heads, ends, strict=True):
        if head["protocol"].decode() != _PROTOCOLS[way]:
            raise SealError
        plain.append(_unsealed(body[head.end() : end], int(head["length"]), security, way))
    return b"".join(plain)


def _unsealed(sealed: bytes, length: int, security: Any, way: str) -> bytes:
    if len(sealed) < 4 or length > (_PART if way == "credssp" else length):
        raise SealError
    (size,) = struct.unpack("<I", sealed[:4])
    try:
        # Windows takes the trailer of TLS from where it is told to be: a wrong length is a message that it cannot read.
        if way == "credssp" and size != security.query_message_sizes().header:
            raise SealError
        plain: bytes = security.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
    except Exception as error:  # what was sealed otherwise ends in errors of many kinds
        raise SealError from error
    if len(plain) != length:
        raise SealError
    return plain


def seal(plain: bytes, security: Any, way: str) -> tuple[str, bytes]:
    """Return the encrypted body, and its type."""
    step = _PART if way == "credssp" else max(1, len(plain))
    parts = [plain[start : start + step] for start in range(0, len(plain), step)] or [b""]
    kind = "multipart/x-multi-encrypted" if len(parts) > 1 else "multipart/encrypted"
    protocol = _PROTOCOLS[way]
    body = b"".join(_sealed(part, security, protocol.encode()) for part in parts) + _END
    return f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"', body


def _sealed(plain: bytes, security: Any, protocol: bytes) -> bytes:
    wrapped = security.wrap_winrm(plain)
    original = b"type=application/soap+xml;charset=UTF-8;Length=%d" % len(plain)
    part: bytes = (
        _BOUNDARY
        + b"\r\n\tContent-Type: "
        + protocol
        + b"\r\n\tOriginalContent: "
        + original
        + b"\r\n"
        + _BOUNDARY
        + b"\r\n\tContent-Type: application/octet-stream\r\n"
        + struct.pack("<I", len(wrapped.header))
        + wrapped.header
        + wrapped.data
    )
    return part
