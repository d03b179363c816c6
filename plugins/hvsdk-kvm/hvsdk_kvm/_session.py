"""What all parts of the driver share: the connection, what is at its other end, and look-ups."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import attrs
import libvirt
from hvsdk.driver import Deadline, Driver, Target, errors

from hvsdk_kvm._connect import Opened, embed_root, open_connection
from hvsdk_kvm._events import EventHub
from hvsdk_kvm._uri import is_remote
from hvsdk_kvm._xml import parse_xml
from hvsdk_kvm._xml_cache import XmlCache

__all__ = ["Session"]

_abandoned: list[Any] = []
"""Connections of a parent process: freeing one would say goodbye to the daemon on the parent's socket."""


class Session(Driver):
    """An open connection. Every part of the driver is a class `XVerbs(Session)` or `XReads(Session)`.

    Keep UUIDs across calls, never a `virDomain`: its destructor may block on a frozen daemon.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._connection: libvirt.virConnect | None = None
        self._opened: Opened | None = None
        self._lent: Opened | None = None
        self.uri = ""
        """libvirt's own URI of the connection; may name files, never a secret."""
        self.kind = ""
        """libvirt's driver in lower case: `qemu`, `xen`, `test` …"""
        self.daemon_version = 0
        """Version of libvirt at the other end, as 9000000 for 9.0.0."""
        self.embed_root: Path | None = None
        """Root directory of an embedded driver, else `None`."""
        self.remote = is_remote(target)
        """Whether a daemon is at the other end: calls are round trips, and events may be lost."""
        self.node_name: str | None = None
        """Name of the machine that the domains run on."""
        self.events: EventHub | None = None
        """Callbacks of this connection; `None` where libvirt's event loop does not run."""
        self.xml_cache = XmlCache()

    # ---- opening and closing -----------------------------------------------------------------------------

    def open(self, *, deadline: Deadline) -> None:
        self.close()  # what is left of a connection before this one
        self.embed_root = embed_root(self.target)
        opened = self._opened = self._lent or open_connection(self.target)
        connection = self._connection = opened.connection
        self.uri, self.events, self.xml_cache = opened.uri, opened.events, opened.xml_cache
        self.kind = connection.getType().lower()
        self.daemon_version = connection.getLibVersion()
        self.node_name = connection.getHostname()
        self.reopens = self.remote or not self.is_test  # the test driver's world ends with its connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        events, self.events = self.events, None
        opened, self._opened = self._opened, None
        if connection is None or opened is None or opened.shared:
            return
        if events is not None:
            events.close()  # a registered callback would keep the socket open
        if connection.isAlive():
            connection.close()

    def abandon(self) -> None:
        if self._connection is not None:
            # The binding closes a connection whose object goes, at the interpreter's end too: it must not find it.
            _abandoned.append((self._connection, self._connection._o, self.events))
            self._connection._o = None
        self._connection = self.events = self._opened = None

    def sibling(self) -> Driver:
        """Return an instance on the same connection where the world is in this process: another sees another world."""
        twin = type(self)(self.target)
        if not self.remote and self._opened is not None:
            twin._lent = attrs.evolve(self._opened, shared=True)
        return twin

    def native(self, *, deadline: Deadline) -> Any:
        return self.connection

    # ---- what is at the other end ------------------------------------------------------------------------

    @property
    def embedded(self) -> bool:
        """Whether the QEMU driver runs in this process: no storage pools, no networks."""
        return self.embed_root is not None

    @property
    def is_test(self) -> bool:
        """Whether it is libvirt's test driver, with or without a daemon."""
        return self.kind == "test"

    @property
    def local(self) -> bool:
        """Whether the hypervisor is on this machine, so that its paths are paths here."""
        return self.target.hostname is None

    def at_least(self, version: int) -> bool:
        """Whether both libvirt here and the daemon are of this version (9000000 for 9.0.0) or later."""
        return min(self.daemon_version, libvirt.getVersion()) >= version

    # ---- look-ups ----------------------------------------------------------------------------------------

    @property
    def connection(self) -> libvirt.virConnect:
        """The open connection.

        Raises:
            SessionExpiredError: It is gone, and nothing has been asked of it: the core opens another and repeats the call.
        """
        connection = self._connection
        if connection is None or (self.remote and not connection.isAlive()):
            raise errors.SessionExpiredError("the connection to the daemon is gone")
        return connection

    def lookup(self, native_id: str) -> libvirt.virDomain:
        """Find a domain by its UUID, in order to change it; libvirt's NO_DOMAIN when there is none."""
        domain = self.find(native_id)
        self.xml_cache.touch(native_id)
        return domain

    def find(self, native_id: str) -> libvirt.virDomain:
        """Find a domain by its UUID, in order to read it."""
        try:
            key = str(uuid.UUID(native_id))
        except ValueError:
            raise errors.DomainNotFoundError(f"no domain has the id {native_id!r}: ids are UUIDs here") from None
        return self.connection.lookupByUUIDString(key)

    def read_xml(self, domain: libvirt.virDomain, *, inactive: bool = True, secure: bool = False) -> ET.Element:
        """Fetch a domain's XML, by default what it will boot with next.

        With `secure` passwords are in it, which a definition that is written back must keep: log it nowhere.
        """
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        if secure:
            flags |= libvirt.VIR_DOMAIN_XML_SECURE
        return parse_xml(domain.XMLDesc(flags))
