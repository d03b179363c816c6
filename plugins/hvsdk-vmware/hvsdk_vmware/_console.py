"""Where a domain's screen is: a ticket for one connection to the host that runs it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from hvsdk.driver import Console, Deadline, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._session import VmwareSession

__all__ = ["ConsoleReads", "console_of"]

_PORTS = {"webmks": 443, "mks": 902}
"""Kinds of tickets, the better one first, and the ports that hosts have for them."""
_HOST = re.compile(r"[\w.:-]{1,255}", re.ASCII)
_DIGESTS = {"sha256": 64, "sha1": 40}
"""Hex digits of fingerprints, the better one first."""


class ConsoleReads(VmwareSession):
    """`console`."""

    def console(self, native_id: str, *, deadline: Deadline) -> Console:
        """Return a ticket, which lets one client in once: WebMKS at `url` with the token appended, else MKS at host and port.

        The host is the one that the domain runs on, as the server calls it; with a vCenter the way leads past the vCenter.

        Raises:
            PowerStateError: It does not run.
        """
        vm = self.vm(native_id)
        try:
            try:
                return console_of("webmks", self._ticket(vm, "webmks", deadline), self.target.hostname)
            except (vmodl.fault.NotSupported, vmodl.fault.InvalidArgument):
                return console_of("mks", self._ticket(vm, "mks", deadline), self.target.hostname)
        except vim.fault.InvalidPowerState as exc:
            raise errors.PowerStateError("a domain has a console only while it runs", hint="start it first") from exc

    def _ticket(self, vm: vim.VirtualMachine, kind: str, deadline: Deadline) -> vim.VirtualMachine.Ticket:
        return self.call(vm.AcquireTicket, kind, deadline=deadline)


def console_of(kind: str, ticket: Any, here: str | None) -> Console:
    """Return the record of a ticket.

    Args:
        here: The host of this connection: the one that is meant where a ticket names none.
    """
    host = (ticket.host or here or "").strip("[]")
    port = ticket.port or _PORTS[kind]
    if not ticket.ticket or not _HOST.fullmatch(host):
        raise AnswerError("the server's ticket for the console leads nowhere")
    shown = f"[{host}]" if ":" in host else host
    url = _told_url(ticket) or f"wss://{shown}:{port}/ticket/"
    return Console(
        kind=kind,
        url=url if kind == "webmks" else None,
        host=host,
        port=port,
        token=ticket.ticket,
        fingerprint=_fingerprint(ticket),
    )


def _told_url(ticket: Any) -> str | None:
    """Return the URL that servers since 7.0 tell, without the ticket, which is a secret and stands at its end."""
    told = str(getattr(ticket, "url", None) or "")
    end = f"/{ticket.ticket}"
    if not told.endswith(end) or told.count(ticket.ticket) != 1 or not told.isprintable():
        return None
    try:
        scheme, host = urlsplit(told).scheme, urlsplit(told).hostname
    except ValueError:
        return None
    return told.removesuffix(end) + "/" if scheme == "wss" and host else None


def _fingerprint(ticket: Any) -> str | None:
    """Return the best fingerprint of the host's certificate; before 7.0.3 there is none but SHA-1."""
    listed = getattr(ticket, "certThumbprintList", None) or ()
    told = {str(one.hashAlgorithm).lower().replace("-", ""): one.thumbprint for one in listed}
    told.setdefault("sha1", ticket.sslThumbprint)
    for algorithm, length in _DIGESTS.items():
        digits = str(told.get(algorithm) or "").replace(":", "").lower()
        if re.fullmatch(f"[0-9a-f]{{{length}}}", digits):
            return f"{algorithm}:{digits}"
    return None
