"""No secret in an error: client libraries and servers repeat in their errors what they were sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from hvsdk.errors import HvsdkError

__all__ = ["cleaned", "redact", "shows"]

SHORTEST = 4
"""A shorter secret is found in too many words; replacing it there would tell it."""
HIDDEN = "***"


def _spellings(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if len(secret) >= SHORTEST:
            yield from {secret, quote(secret, safe=""), repr(secret)[1:-1], b64encode(secret.encode()).decode()}


def cleaned(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets, in their usual spellings."""
    for spelling in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(spelling, HIDDEN)
    return text


def shows(exc: BaseException, secrets: Iterable[str]) -> bool:
    """Return whether what a traceback prints of an error has a secret in it."""
    printed = f"{exc} {getattr(exc, '__notes__', '')}"
    return any(spelling in printed for spelling in _spellings(secrets))


def redact(exc: BaseException, secrets: Iterable[str]) -> bool:
    """Take the secrets out of an error and of what caused it; return whether that was possible for all of them."""
    clean, seen, secrets = True, set[int](), tuple(secrets)
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        if shows(exc, secrets):
            _rewrite(exc, secrets)
            clean = clean and not shows(exc, secrets)
        following = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
        if following is None:
            break
        exc = following
    return clean


def _rewrite(exc: BaseException, secrets: tuple[str, ...]) -> None:
    exc.args = tuple(cleaned(arg, secrets) if isinstance(arg, str) else arg for arg in exc.args)
    if isinstance(exc, HvsdkError):
        exc.message = cleaned(exc.message, secrets)
        exc.hint = exc.hint and cleaned(exc.hint, secrets)
