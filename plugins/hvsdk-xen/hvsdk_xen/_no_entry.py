"""Why no member of a pool let us in, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import XenAPI
from hvsdk.connections import Endpoint
from hvsdk.driver import errors

from hvsdk_xen._rpc import NotSpokenError

__all__ = ["why_nobody", "wrong_certificate"]


def why_nobody(tried: Mapping[Endpoint, Exception], sent_to: Mapping[Endpoint, str]) -> Exception:
    """Return the error to raise when all were tried.

    Args:
        tried: What each said, or what went wrong on the way to it.
        sent_to: The addresses at which the others say that the master is, by where that is from here.
    """
    found = list(tried.values())
    telling = (exc for exc in found if isinstance(exc, errors.CertificateError))
    one = found[0] if len(found) == 1 else next(telling, None)
    if one is not None:
        return one
    if any(isinstance(exc, NotSpokenError) for exc in found):
        return next(exc for exc in found if isinstance(exc, NotSpokenError))
    told = "; ".join(f"{endpoint}: {_words(exc)}" for endpoint, exc in tried.items())
    master = next((one for one in sent_to if isinstance(tried.get(one), OSError)), None)
    if master is None:
        error = errors.ConnectError(
            f"no member of the pool let us in: {told}", hint="see whether its hosts and toolstacks are up"
        )
    else:
        error = errors.ConnectError(
            f"the pool's master, {sent_to[master]}, does not answer, and the other members still follow it: {told}",
            hint="wait until it is back or high availability has named another master, or name one yourself at a member: "
            "xe pool-emergency-transition-to-master",
        )
    error.__cause__ = found[0]
    return error


def wrong_certificate(
    exc: errors.CertificateError, endpoint: Endpoint, sent_to: str | None, pins: Sequence[str]
) -> errors.CertificateError:
    """Return the error of a member's certificate with where that member is, how we came there, and all pins to give."""
    if exc.fingerprint is None or not pins:
        return exc
    who = (
        f"the pool's master at {endpoint}, to which we were sent as {sent_to},"
        if sent_to
        else f"the member at {endpoint}"
    )
    error = errors.CertificateError(
        f"{who} shows a certificate that is none of those pinned: its fingerprint is {exc.fingerprint}",
        fingerprint=exc.fingerprint,
        hint=f"compare it with that host's own; only if it is right, add it: verify={[*pins, exc.fingerprint]!r}",
    )
    error.__cause__ = exc
    return error


def _words(exc: Exception) -> str:
    if isinstance(exc, XenAPI.Failure):
        code, *details = map(str, exc.details or ["no reason"])
        if code == "HOST_IS_SLAVE":
            return f"follows {details[0] if details else 'another master'}"
        return ", ".join((code, *details))
    if isinstance(exc, OSError):
        return str(exc.strerror or exc or type(exc).__name__)
    return exc.message if isinstance(exc, errors.HvsdkError) else str(exc)
