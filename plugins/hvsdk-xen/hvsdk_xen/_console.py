"""Where a domain's screen or serial line is: behind CONNECT at the host that runs it."""

from __future__ import annotations

import socket
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
from hvsdk.connections import Endpoint
from hvsdk.driver import Console, Deadline, errors

from hvsdk_xen._fields import Record, reference, references, text
from hvsdk_xen._listing import ListingReads
from hvsdk_xen._tunnel import open_tunnel

__all__ = ["ConsoleReads", "Place"]

_KINDS = {"rfb": "rfb-connect", "rdp": "rdp", "vt100": "serial"}
"""XAPI's protocols in hvsdk's words, the best first."""
_PATH = "/console"


@attrs.frozen
class Place:
    """A console of a VM.

    Attributes:
        protocol: XAPI's word: `rfb`, `rdp` or `vt100`.
        host: Reference of the host that has it.
        target: Path and query that CONNECT takes.
    """

    protocol: str
    host: str
    target: str


class ConsoleReads(ListingReads):
    """`console`."""

    def console(self, native_id: str, *, deadline: Deadline) -> Console:
        """Say where to send `CONNECT` to, with the cookie `session_id=` and the token; what follows is RFB.

        The token is the session's key: it may do what the session may, and ends with the connection to the pool.
        """
        place = self.find_console(native_id, deadline)
        endpoint = self.endpoint_of(place.host, deadline)
        scheme = "https" if self.target.scheme == "xenapi" else "http"
        return Console(
            kind=_KINDS[place.protocol],
            url=f"{scheme}://{endpoint}{place.target}",
            host=endpoint.host,
            port=endpoint.port,
            token=self.session_ref,
            fingerprint=self._fingerprint(place.host),
        )

    def find_console(self, native_id: str, deadline: Deadline) -> Place:
        """Return the best console of a domain.

        The host is the one that the domain's record names. Where the console's own record points to somewhere else that is
        not followed: the session's key goes to members of the pool alone.

        Raises:
            PowerStateError: It is off.
            UnsupportedError: It has none.
        """
        vm = self.domain_record(native_id, deadline)
        name, host = text(vm, "name_label"), reference(vm, "resident_on")
        if text(vm, "power_state") not in ("Running", "Paused") or host is None:
            raise errors.PowerStateError(f"domain {name!r} has no console while it is off", hint="start it first")
        asked = [f"console/{ref}" for ref in references(vm, "consoles")]
        found = self.read_together(asked, deadline).get("console", {}).values()
        for protocol in _KINDS:
            for console in found:
                target = _target(console) if text(console, "protocol").lower() == protocol else None
                if target is not None:
                    return Place(protocol, host, target)
        raise errors.UnsupportedError(
            f"domain {name!r} has neither a screen nor a serial line that can be reached", capability="console"
        )

    def connect_console(self, place: Place, deadline: Deadline) -> socket.socket:
        """Connect to a console; what comes over the socket is its protocol.

        Raises:
            OperationFailedError: The host lets nobody through.
        """
        for last in (False, True):
            sock = self.socket_to(place.host, deadline=deadline)
            try:
                status = open_tunnel(sock, place.target, self.session_ref, deadline)
            except BaseException:
                sock.close()
                raise
            if status == 200:
                return sock
            sock.close()
            if status != 401 or last:
                raise errors.OperationFailedError(f"the host answered {status} when asked for the console")
            self.call("pool.get_all", deadline=deadline)  # renews a session that has expired
        raise AssertionError("unreachable")

    def _fingerprint(self, host: str) -> str | None:
        address = self.around.hosts.get(host, {}).get("address")
        here: Endpoint | None = self.reach(str(address)) if address else None
        return self._known.own_pin(here) if here is not None else None


def _target(console: Record) -> str | None:
    """Return what CONNECT takes, `None` where the console's location is none."""
    try:
        location = urlsplit(text(console, "location"))
        query = [(key, value) for key, value in parse_qsl(location.query) if key in ("uuid", "ref")]
    except ValueError:
        return None
    return f"{_PATH}?{urlencode(query)}" if location.path == _PATH and query else None
