"""libvirt-python used as well as one can by hand, and Libcloud's driver on top of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import libvirt
from libcloud.compute.drivers.libvirt_driver import LibvirtNodeDriver

STATS = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON
SOURCES = (libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)
NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


def summary(connection: libvirt.virConnect) -> list[tuple[Any, ...]]:
    """Return name, UUID, state, vCPUs and memory of all domains: one bulk call."""
    return [
        (d.name(), d.UUIDString(), s.get("state.state"), s.get("vcpu.current"), s.get("balloon.current"))
        for d, s in connection.getAllDomainStats(STATS, NOWAIT)
    ]


def summary_one_by_one(connection: libvirt.virConnect) -> list[tuple[Any, ...]]:
    """Return the same by asking each domain, as most programs do."""
    return [(d.name(), d.UUIDString(), *d.info()) for d in connection.listAllDomains()]


def config(connection: libvirt.virConnect) -> list[tuple[Any, ...]]:
    """Return state and hardware of all domains: `info()` and the parsed XML of each."""
    return [_facts(domain) for domain in connection.listAllDomains()]


def full(connection: libvirt.virConnect) -> list[tuple[Any, ...]]:
    """Return the same, and the addresses that the hypervisor's side knows of the guests that run."""
    found = []
    for domain in connection.listAllDomains():
        facts = _facts(domain)
        runs = facts[2][0] == libvirt.VIR_DOMAIN_RUNNING
        found.append((*facts, [_addresses(domain, source) for source in SOURCES] if runs else []))
    return found


def _facts(domain: libvirt.virDomain) -> tuple[Any, ...]:
    root = ET.fromstring(domain.XMLDesc())
    disks = [_parts(disk, "source", "target", "driver") for disk in root.iterfind("devices/disk")]
    nics = [_parts(nic, "mac", "source", "model") for nic in root.iterfind("devices/interface")]
    return domain.name(), domain.UUIDString(), domain.info(), disks, nics


def _addresses(domain: libvirt.virDomain, source: int) -> Any:
    try:
        return domain.interfaceAddresses(source)
    except libvirt.libvirtError:
        return None


def _parts(device: ET.Element, *tags: str) -> dict[str, dict[str, str]]:
    return {tag: dict(part.attrib) for tag in tags if (part := device.find(tag)) is not None}


class WithoutArp(LibvirtNodeDriver):
    """Libcloud's driver without its look-up of addresses, which runs `arp -an` once for each domain."""

    def _get_ip_addresses_for_domain(self, domain: libvirt.virDomain) -> list[str]:
        return []


def libcloud(uri: str, *, arp: bool) -> Any:
    """Return Libcloud's driver for a URI."""
    driver: Any = LibvirtNodeDriver if arp else WithoutArp
    return driver(uri)
