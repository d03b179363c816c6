"""`hvsdk doctor`: what is wrong with the way to a host, step by step, and what to do about it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import typer

from hvsdk._cli.command import command
from hvsdk._cli.exits import Exit
from hvsdk._cli.output import Format
from hvsdk._cli.session import Session
from hvsdk.errors import BackendError, HvsdkError

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend
    from hvsdk._fleet.member import Member

__all__ = ["Finding", "add_doctor", "examine"]

_SECONDS = 10.0
_CLOCK_SECONDS = 60.0
"""Beyond that far apart, Kerberos and certificates begin to fail."""
_CHANGES = ("power_off", "delete", "create_domain", "reconfigure")


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        step: `backend dns port tls login rights version clock`.
        state: `ok`, `warning`, `failed`, or `skipped`.
    """

    host: str
    step: str
    state: str
    message: str
    hint: str | None = None


def add_doctor(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor")(_doctor)


def _doctor(session: Session) -> Exit:
    """Check the way to each host: backend, DNS, port, TLS (with the fingerprint), login, rights, version, clock."""
    members = session.fleet._members.select(session.hosts, session.host_tags)
    findings = [finding for member in members for finding in _shown(session, member)]
    if session.output.format is not Format.TABLE:
        session.output.show(None, [attrs.asdict(finding) for finding in findings])
    bad = {finding.host for finding in findings if finding.state == "failed"}
    if not bad:
        return Exit.DONE
    return Exit.FAILED if len(bad) == len(members) else Exit.PARTIAL


def _shown(session: Session, member: Member) -> Iterator[Finding]:
    for finding in examine(member):
        hint = f" ({finding.hint})" if finding.hint else ""
        session.output.line(f"{finding.host}: {finding.step}: {finding.state}: {finding.message}{hint}")
        yield finding


def examine(member: Member) -> Iterator[Finding]:
    """Yield what is found at one host; steps that rest on one that failed are left out."""

    def finding(step: str, state: str, message: str, hint: str | None = None) -> Finding:
        return Finding(host=member.name, step=step, state=state, message=message, hint=hint)

    from hvsdk._registry import find_backend
    from hvsdk._url import parse_url

    location = parse_url(member.endpoint.url)
    try:
        backend = find_backend(location.scheme, member.endpoint.arguments.get("backend"))
        target = member.host()._door.target
    except (BackendError, HvsdkError, TypeError, ValueError) as error:
        yield finding("backend", "failed", str(error), getattr(error, "hint", None))
        return
    yield finding("backend", "ok", backend.summary or backend.name)
    if target.hostname and target.port:
        network = list(_network(finding, backend, target))
        yield from network
        if any(one.state == "failed" for one in network):
            return
    yield from _login(finding, member)


def _network(finding: Callable[..., Finding], backend: Backend, target: Any) -> Iterator[Finding]:
    try:
        found = socket.getaddrinfo(target.hostname, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        hint = "see whether the name is right, and whether this machine asks the right DNS server"
        yield finding("dns", "failed", f"{target.hostname} is not known: {error.strerror or error}", hint)
        return
    addresses = sorted({str(one[4][0]) for one in found})
    yield finding("dns", "ok", f"{target.hostname} is {', '.join(addresses)}")
    began = time.monotonic()
    try:
        connection = socket.create_connection((target.hostname, target.port), _SECONDS)
    except OSError as error:
        hint = "see whether the service runs, and whether a firewall lets this machine in"
        yield finding("port", "failed", f"port {target.port} cannot be reached: {error.strerror or error}", hint)
        return
    with contextlib.closing(connection):
        yield finding("port", "ok", f"port {target.port} answers in {(time.monotonic() - began) * 1000:.0f} ms")
        if target.scheme in backend.tls_schemes:
            yield _tls(finding, connection, target)


def _tls(finding: Callable[..., Finding], connection: socket.socket, target: Any) -> Finding:
    """Look at the certificate without trusting it; whether it is accepted is told by the login."""
    from hvsdk._tls_context import fingerprint_of

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(connection, server_hostname=target.hostname) as secure:
            fingerprint = fingerprint_of(secure.getpeercert(binary_form=True) or b"")
            told = f"{secure.version()}, certificate {fingerprint}"
    except OSError as error:
        return finding("tls", "failed", f"no TLS there: {error}", "tls='legacy' for servers of the time of TLS 1.0")
    pins = target.tls.pins
    if pins and fingerprint not in pins:
        hint = "compare it with the server's own before you pin it"
        return finding("tls", "failed", f"{told} is not the one that was pinned", hint)
    if not target.tls.verify and not pins:
        return finding("tls", "warning", f"{told}; it is not checked", f"verify={fingerprint!r} pins it")
    return finding("tls", "ok", told)


def _login(finding: Callable[..., Finding], member: Member) -> Iterator[Finding]:
    host = member.host()
    before = datetime.now(UTC)
    try:
        info = host.info()
    except HvsdkError as error:
        yield finding("login", "failed", f"{type(error).__name__}: {error.message}", error.hint)
        return
    yield finding("login", "ok", f"as {host._door.target.username or 'whoever this process is'}")
    can = sorted(verb for verb in _CHANGES if verb in host._door.offered and not _missing(host, verb))
    if host.readonly and can:
        hint = "log in with an account that can only read"
        yield finding("rights", "warning", f"the connection is read-only, its account is not: {', '.join(can)}", hint)
    elif not host.readonly and not can:
        yield finding(
            "rights", "warning", "this account changes nothing here", "give it a role that may, or readonly=True"
        )
    else:
        yield finding("rights", "ok", "read-only" if host.readonly else f"may {', '.join(can)}")
    yield finding("version", "ok", f"{info.product} {info.version or ''}".strip())
    yield _clock(finding, info, before)


def _missing(host: Any, verb: str) -> bool:
    return verb in host._door.open(host._deadline()).limits


def _clock(finding: Callable[..., Finding], info: Any, before: datetime) -> Finding:
    """Compare clocks: the host's was read some time between the question and now."""
    if info.clock is None:
        return finding("clock", "skipped", "this backend does not tell the host's clock")
    behind, ahead = (before - info.clock).total_seconds(), (info.clock - datetime.now(UTC)).total_seconds()
    if max(behind, ahead) <= _CLOCK_SECONDS:
        return finding("clock", "ok", "as this machine's")
    where = f"{behind:.0f} s behind" if behind > 0 else f"{ahead:.0f} s ahead of"
    return finding("clock", "warning", f"the host's clock is {where} this machine's", "let both follow one NTP server")
