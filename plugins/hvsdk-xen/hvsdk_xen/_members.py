"""The members of a pool: where each is reached from here, and by which certificates it is known."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import attrs
from hvsdk.connections import Endpoint
from hvsdk.driver import Target, errors, tls_context

__all__ = ["Member", "Members", "members_of", "read_address_map"]


@attrs.frozen
class Member:
    """One host of the pool, as its record tells."""

    ref: str
    uuid: str
    name: str
    address: str


class Members:
    """What is known of a pool, kept for the next connection to it: the way in when its master is gone.

    Args:
        target: What the user named.
    """

    def __init__(self, target: Target) -> None:
        self._tls = target.tls
        self.secure: bool = target.scheme == "xenapi"
        self._default_port = 443 if self.secure else 80
        self._first = Endpoint(target.hostname or "localhost", target.port or self._default_port)
        self._map = read_address_map(target.options.get("address_map"), self._default_port)
        self._lock = threading.Lock()
        self._members: dict[str, Member] = {}
        self._master: Endpoint | None = None
        self._pins: dict[Endpoint, frozenset[str]] = {}
        self._contexts: dict[frozenset[str], ssl.SSLContext] = {}

    @property
    def pinned(self) -> bool:
        """Whether members are known by pins, so that those of further members have to be learnt."""
        return self.secure and bool(self._tls.pins)

    def all(self) -> list[Member]:
        """Return the members, as last seen."""
        return list(self._members.values())

    def learn(self, hosts: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over the records of all hosts."""
        found = {}
        for ref, host in hosts.items():
            name, address = str(host.get("name_label", "")), str(host.get("address", ""))
            found[ref] = Member(ref, str(host.get("uuid", "")), name, address)
        with self._lock:
            self._members = found

    def learn_pins(self, pins: Mapping[str, Iterable[str]]) -> None:
        """Take over the fingerprints of certificates by host; each counts for that host's address alone."""
        with self._lock:
            for ref, found in pins.items():
                member = self._members.get(ref)
                if member is not None and member.address:
                    self._pins[self.reach(member.address)] = frozenset(found)

    def has_pins(self, endpoint: Endpoint) -> bool:
        """Whether a member's own pins are known."""
        return endpoint in self._pins

    def own_pin(self, endpoint: Endpoint) -> str | None:
        """Return the fingerprint of a member's own certificate, where one was learnt."""
        return min(self._pins.get(endpoint, ()), default=None)

    def prefer(self, endpoint: Endpoint) -> None:
        """Remember who answers for the pool."""
        self._master = endpoint

    def reach(self, address: str, port: int | None = None) -> Endpoint:
        """Return where an address that the pool told is reached from here."""
        plain = address.strip("[]").lower()
        mapped = self._map.get(plain)
        if mapped is None:
            return Endpoint(plain, port or self._default_port)
        return mapped if port is None or port == self._default_port else Endpoint(mapped.host, port)

    def redirected(self, address: str, port: int | None) -> Endpoint:
        """Return where an address is reached that an answer redirects to.

        Raises:
            ConnectError: It is no member of the pool: the session's key is not for others.
        """
        plain = address.strip("[]").lower()
        if plain not in {self._first.host, *self._map, *(member.address.lower() for member in self.all())}:
            raise errors.ConnectError(f"the server sends us on to {plain}, which is no member of its pool")
        return self._first if plain == self._first.host and plain not in self._map else self.reach(plain, port)

    def candidates(self) -> list[Endpoint]:
        """Return where the pool may be asked, the likeliest first."""
        others = (self.reach(member.address) for member in self.all() if member.address)
        first = (self._master, self._first) if self._master is not None else (self._first,)
        return list(dict.fromkeys((*first, *others)))

    def context(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """Return what checks a member's certificate; `None` without TLS."""
        if not self.secure:
            return None
        pins = frozenset(self._tls.pins)
        if pins:
            pins |= self._pins.get(endpoint, frozenset())
        with self._lock:
            context = self._contexts.get(pins)
            if context is None:
                context = self._contexts[pins] = tls_context(attrs.evolve(self._tls, pins=tuple(sorted(pins))))
            return context

    def secured(self, endpoint: Endpoint) -> Endpoint:
        """Return it with what checks that member's certificate."""
        return attrs.evolve(endpoint, context=self.context(endpoint))


_known: dict[Hashable, Members] = {}
_known_lock = threading.Lock()


def _begin_anew() -> None:
    """Forget all in a forked child: a lock that another thread of the parent's held would stay locked for ever."""
    global _known_lock
    _known_lock = threading.Lock()
    _known.clear()


os.register_at_fork(after_in_child=_begin_anew)


def members_of(target: Target) -> Members:
    """Return what this process knows of the pool that a target names."""
    key = (target.url, target.tls, str(target.options.get("address_map")))
    with _known_lock:
        found = _known.get(key)
        if found is None:
            found = _known[key] = Members(target)
        return found


def read_address_map(given: Any, default_port: int) -> dict[str, Endpoint]:
    """Read the option `address_map`.

    Raises:
        ValueError: It is not of the form `address=host:port,…`.
        TypeError: It is neither a text nor a mapping.
    """
    if not given:
        return {}
    if isinstance(given, str):
        pairs = [tuple(item.partition("=")[::2]) for item in given.split(",") if item.strip()]
    elif isinstance(given, Mapping):
        pairs = [(str(address), str(place)) for address, place in given.items()]
    else:
        raise TypeError("address_map= is a text such as '198.18.0.1=gate:4431,…' or a mapping of the same")
    return {address.strip().strip("[]").lower(): _endpoint(place.strip(), default_port) for address, place in pairs}


def _endpoint(text: str, default_port: int) -> Endpoint:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (host.count(":") and not host.startswith("[")):
        host, port = text, str(default_port)
    host = host.strip("[]").lower()
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"address_map= has address=host:port, not {text!r} behind the equals sign")
    return Endpoint(host, int(port))
