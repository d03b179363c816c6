"""What all parts of the driver share: the connection, what is at its other end, and look-ups."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import libvirt
from hvsdk.driver import Driver, Target, errors

from hvsdk_kvm._xml import parse_xml

__all__ = ["Session"]


class Session(Driver):
    """An open connection. Every part of the driver is a class `XVerbs(Session)` or `XReads(Session)`.

    Keep UUIDs across calls, never a `virDomain`: its destructor may block on a frozen daemon.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._connection: libvirt.virConnect | None = None
        self.uri = ""
        """libvirt's own URI of the connection; may name files, never a secret."""
        self.kind = ""
        """libvirt's driver in lower case: `qemu`, `xen`, `test` …"""
        self.daemon_version = 0
        """Version of libvirt at the other end, as 9000000 for 9.0.0."""
        self.embed_root: Path | None = None
        """Root directory of an embedded driver, else `None`."""
        self.remote = False
        """Whether a daemon is at the other end: calls are round trips, and events may be lost."""

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

    @property
    def connection(self) -> libvirt.virConnect:
        """The open connection.

        Raises:
            ConnectionLostError: It is not open.
        """
        if self._connection is None:
            raise errors.ConnectionLostError("the connection is not open")
        return self._connection

    def lookup(self, native_id: str) -> libvirt.virDomain:
        """Find a domain by its UUID; libvirt's NO_DOMAIN when there is none."""
        return self.connection.lookupByUUIDString(native_id)

    def read_xml(self, domain: libvirt.virDomain, *, inactive: bool = True, secure: bool = False) -> ET.Element:
        """Fetch a domain's XML, by default what it will boot with next.

        With `secure` passwords are in it, which a definition that is written back must keep: log it nowhere.
        """
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        if secure:
            flags |= libvirt.VIR_DOMAIN_XML_SECURE
        return parse_xml(domain.XMLDesc(flags))

    def at_least(self, version: int) -> bool:
        """Whether both libvirt here and the daemon are of this version (9000000 for 9.0.0) or later."""
        return min(self.daemon_version, libvirt.getVersion()) >= version

    def native(self, *, deadline: Any) -> Any:
        return self.connection
