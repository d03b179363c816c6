"""Where a domain's screen or serial line is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from urllib.parse import quote

from hvsdk.driver import Console, Deadline, errors

from hvsdk_kvm._session import Session

__all__ = ["ConsoleReads", "console_of"]

_ANY = ("0.0.0.0", "::", "")


class ConsoleReads(Session):
    """`console`."""

    def console(self, native_id: str, *, deadline: Deadline) -> Console:
        domain = self.find(native_id)
        name = domain.name()
        if not domain.isActive():
            raise errors.PowerStateError(f"domain {name!r} has no console while it is off", hint="start it first")
        found = console_of(self.read_xml(domain, inactive=False, secure=True), self.target.hostname)
        if found is None:
            raise errors.UnsupportedError(
                f"domain {name!r} has neither a screen nor a serial line that can be reached", capability="console"
            )
        return found


def console_of(root: ET.Element, hostname: str | None) -> Console | None:
    """Return the best console in a running domain's XML: VNC, SPICE, then the serial line.

    Args:
        hostname: The machine that libvirt runs on, `None` for this one.
    """
    graphics = root.findall("devices/graphics")
    for kind in ("vnc", "spice", "rdp"):
        for element in graphics:
            if element.get("type") == kind and (found := _screen(kind, element, hostname)):
                return found
    for element in root.iterfind("devices/*"):
        if element.tag in ("console", "serial") and (found := _serial(element, hostname)):
            return found
    return None


def _screen(kind: str, element: ET.Element, hostname: str | None) -> Console | None:
    listen = element.find("listen")
    path = element.get("socket") or (listen.get("socket") if listen is not None else None)
    password, expires = element.get("passwd"), _expiry(element.get("passwdValidTo"))
    if path:
        return Console(kind=kind, path=path, password=password, expires_at=expires)
    plain, tls = _port(element.get("port")), _port(element.get("tlsPort"))
    port = plain or tls
    if port is None:
        return None
    host = _reachable(element.get("listen") or (listen.get("address") if listen is not None else None), hostname)
    query = f"?tls-port={tls}" if kind == "spice" and tls else ""
    return Console(
        kind=kind,
        url=f"{kind}://{_bracketed(host)}:{port}{query}",
        host=host,
        port=port,
        password=password,
        expires_at=expires,
    )


def _serial(element: ET.Element, hostname: str | None) -> Console | None:
    source = element.find("source")
    if source is None:
        return None
    kind = element.get("type")
    if kind == "pty":
        path = source.get("path")
        return Console(kind="serial", path=path) if path else None
    if kind == "unix" and source.get("mode") == "bind":
        return Console(kind="serial", path=source.get("path"))
    if kind == "tcp" and source.get("mode") == "bind" and (port := _port(source.get("service"))):
        host = _reachable(source.get("host"), hostname)
        return Console(kind="serial", url=f"tcp://{_bracketed(host)}:{port}", host=host, port=port)
    return None


def _reachable(listen: str | None, hostname: str | None) -> str:
    """Return where to connect to: what listens everywhere listens on the host's name too."""
    return (hostname or "127.0.0.1") if (listen or "") in _ANY else str(listen)


def _bracketed(host: str) -> str:
    return f"[{quote(host, safe=':%')}]" if ":" in host else quote(host, safe="")


def _port(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and 0 < int(text) < 65536 else None


def _expiry(text: str | None) -> datetime | None:
    """Return when a password ends; libvirt writes UTC without saying so."""
    try:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
