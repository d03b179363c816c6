"""What a session has to know of its pool: the hosts, the API's version and messages, and the members' certificates."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import XenAPI
from hvsdk.connections import Endpoint
from hvsdk.driver import Deadline, errors, fingerprint_of

from hvsdk_xen._members import Members
from hvsdk_xen._values import as_int

if TYPE_CHECKING:
    from hvsdk_xen._calls import SessionCalls

__all__ = ["Surroundings", "look_around"]

Ask: TypeAlias = Callable[..., Any]
"""Makes a call: the message's name, then its arguments without the session."""
CERTIFICATES_SINCE = (2, 15)
"""The API version with records of certificates."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """The pool as it was at the last login."""

    pool: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    hosts: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)

    @property
    def master(self) -> Mapping[str, Any]:
        """The record of the master."""
        return self.hosts.get(str(self.pool.get("master")), {})

    @property
    def api_version(self) -> tuple[int, int]:
        """The master's version of XAPI."""
        host = self.master
        return as_int(host.get("API_version_major")) or 0, as_int(host.get("API_version_minor")) or 0

    def endpoint_of(
        self, session: SessionCalls, members: Members, here: Endpoint, host_ref: str | None, deadline: Deadline
    ) -> Endpoint:
        """Return where a host is reached from here.

        Raises:
            NodeNotFoundError: There is no such host, or nothing is known of its address.
        """
        if host_ref is None or host_ref == self.pool.get("master"):
            return here
        address = self.hosts.get(host_ref, {}).get("address") or session.call(
            "host.get_address", host_ref, deadline=deadline
        )
        if not address:
            raise errors.NodeNotFoundError("the pool tells no address of that host: it has no management interface")
        endpoint = members.reach(str(address))
        if members.pinned and not members.has_pins(endpoint):
            text = session.call("host.get_server_certificate", host_ref, deadline=deadline)
            members.learn_pins({host_ref: _fingerprints(str(text))})
        return endpoint


def look_around(ask: Ask, members: Members) -> Surroundings:
    """Read what is known of the pool, over a session that has just been opened."""
    pools = ask("pool.get_all_records")
    hosts = ask("host.get_all_records")
    members.learn(hosts)
    found = Surroundings(pool=next(iter(pools.values()), {}), hosts=hosts)
    if members.pinned:
        if found.api_version >= CERTIFICATES_SINCE:
            members.learn_pins(_pins(ask("Certificate.get_all_records")))
        else:
            _ask_for_pins(ask, members, found)
    return found


def _ask_for_pins(ask: Ask, members: Members, around: Surroundings) -> None:
    """Ask each host for its certificate, on versions that keep no records of them. One that is down is left out."""
    for ref, host in around.hosts.items():
        if ref != around.pool.get("master") and not members.has_pins(members.reach(str(host.get("address", "")))):
            with contextlib.suppress(XenAPI.Failure):
                members.learn_pins({ref: _fingerprints(str(ask("host.get_server_certificate", ref)))})


def _pins(certificates: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for certificate in certificates.values():
        text = str(certificate.get("fingerprint_sha256") or certificate.get("fingerprint") or "")
        plain = text.replace(":", "").lower()
        if certificate.get("type", "host") == "host" and len(plain) == 64:
            found.setdefault(str(certificate.get("host")), set()).add(f"sha256:{plain}")
    return found


def _fingerprints(text: str) -> set[str]:
    try:
        return {fingerprint_of(ssl.PEM_cert_to_DER_cert(text.strip()))}
    except ValueError:
        return set()
