"""What guests say of themselves: addresses, name, operating system; and what DHCP and ARP say of them."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import libvirt
from hvsdk.driver import Address, Deadline, guest_ip, prefix_length

from hvsdk_kvm._errors import code_of, is_lost
from hvsdk_kvm._parallel import in_parallel
from hvsdk_kvm._xml_read import agent_channel

__all__ = ["GuestQuestions", "addresses_of_agent", "addresses_of_host"]

AGENT_SECONDS = 2.0
_AT_ONCE = 4
"""One less than a daemon answers at once on a connection: a silent agent must not block everything else."""

_WANTED = libvirt.VIR_DOMAIN_GUEST_INFO_OS | libvirt.VIR_DOMAIN_GUEST_INFO_HOSTNAME
_INTERFACES: int = getattr(libvirt, "VIR_DOMAIN_GUEST_INFO_INTERFACES", 0)
_LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
_ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP

Fields = dict[str, Any]


class GuestQuestions:
    """Asks the guests of one connection. A silent agent costs two seconds, and is not asked again while it is silent."""

    def __init__(self, *, has_leases: bool = True, far: bool = True) -> None:
        self._has_leases = has_leases
        self._far = far
        self._lock = threading.Lock()
        self._owing: set[str] = set()

    def ask(
        self, domains: Mapping[str, libvirt.virDomain], roots: Mapping[str, ET.Element], deadline: Deadline
    ) -> dict[str, Fields]:
        """Return the fields of the group `guest` of running domains, by UUID."""
        fields = {key: self.silent(root) for key, root in roots.items()}
        if self._has_leases:
            plugged = {key: macs for key, root in roots.items() if (macs := _seen_by_host(root))}
            seen = in_parallel(
                lambda key: addresses_of_host(domains[key], plugged[key]),
                plugged,
                width=_AT_ONCE if self._far else 1,  # without latency, threads gain nothing
                deadline=deadline,
            )
            for key, addresses in seen.items():
                fields[key]["addresses"] = addresses
        with self._lock:
            able = [key for key, root in roots.items() if agent_channel(root) in ("connected", "unknown")]
            askable = [key for key in able if key not in self._owing]
        rounds = -(-len(askable) // _AT_ONCE)
        answers = in_parallel(
            lambda key: self._ask_one(key, domains[key]),
            askable,
            width=_AT_ONCE,
            deadline=deadline.sooner(AGENT_SECONDS * rounds),
        )
        for key, answer in answers.items():
            if answer is not None:
                known = fields[key]["addresses"]
                fields[key] = {**answer, "addresses": _merge(answer["addresses"], known)}
        return fields

    @staticmethod
    def silent(root: ET.Element) -> Fields:
        """Return the fields of a guest that says nothing."""
        agent: dict[str, Literal["unknown", "stopped", "absent"]] = {
            "connected": "unknown",
            "unknown": "unknown",
            "disconnected": "stopped",
            "absent": "absent",
        }
        return {
            "addresses": (),
            "guest_hostname": None,
            "guest_os": None,
            "agent": agent[agent_channel(root)],
        }

    def _ask_one(self, key: str, domain: libvirt.virDomain) -> Fields | None:
        with self._lock:
            self._owing.add(key)
        try:
            return _answer(domain)
        finally:
            with self._lock:
                self._owing.discard(key)


def _answer(domain: libvirt.virDomain) -> Fields | None:
    """Return what the agent says, or `None` when it says nothing."""
    try:
        told: dict[str, Any] = domain.guestInfo(_WANTED | _INTERFACES)  # type: ignore[assignment]  # typed as str
    except libvirt.libvirtError as exc:
        if is_lost(exc):
            raise
        if code_of(exc) == libvirt.VIR_ERR_AGENT_UNRESPONSIVE:
            return None
        return _answer_piecewise(domain)
    return _fields(told, addresses_of_agent(told))


def _answer_piecewise(domain: libvirt.virDomain) -> Fields | None:
    """Ask one by one: older agents and libvirts refuse the whole question for one part of it."""
    told: dict[str, Any] = {}
    answered = False
    for wanted in (libvirt.VIR_DOMAIN_GUEST_INFO_HOSTNAME, libvirt.VIR_DOMAIN_GUEST_INFO_OS):
        answer = _quietly(lambda wanted=wanted: domain.guestInfo(wanted))
        answered |= answer is not None
        told |= answer or {}
    found = _quietly(lambda: domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT))
    if found is None and not answered:
        return None
    return _fields(told, tuple(_addresses(found or {}, "agent")))


def _fields(told: Mapping[str, Any], addresses: tuple[Address, ...]) -> Fields:
    return {
        "addresses": addresses,
        "guest_hostname": told.get("hostname") or None,
        "guest_os": told.get("os.pretty-name") or told.get("os.name") or told.get("os.id") or None,
        "agent": "running",
    }


def addresses_of_agent(told: Mapping[str, Any]) -> tuple[Address, ...]:
    """Return the addresses in an answer of `guestInfo`, without those of the loopback interface."""
    found = []
    for number in range(_count(told.get("if.count"))):
        name, mac = told.get(f"if.{number}.name"), told.get(f"if.{number}.hwaddr")
        for index in range(_count(told.get(f"if.{number}.addr.count"))):
            key = f"if.{number}.addr.{index}"
            address = _address(told.get(f"{key}.addr"), told.get(f"{key}.prefix"), mac, name, "agent")
            if address is not None:
                found.append(address)
    return tuple(found)


def _seen_by_host(root: ET.Element) -> dict[str, bool]:
    """Return the MACs of the adapters of which the host may know addresses, and whether DHCP of a network gave them."""
    nics = root.iterfind("devices/interface")
    kinds = {(nic.find("mac"), nic.get("type")) for nic in nics if nic.get("type") not in ("user", "hostdev", "vdpa")}
    return {mac.get("address", "").lower(): kind == "network" for mac, kind in kinds if mac is not None}


def addresses_of_host(domain: libvirt.virDomain, macs: Mapping[str, bool]) -> tuple[Address, ...]:
    """Return what the host itself knows: DHCP leases of its networks, and its ARP table where a lease is missing.

    Args:
        macs: Those to find addresses of, and whether each is on a network of libvirt's own.
    """
    leases = (_quietly(lambda: domain.interfaceAddresses(_LEASE)) or {}) if any(macs.values()) else {}
    leased = tuple(_addresses(leases, "lease"))
    if macs.keys() <= {address.mac for address in leased}:
        return leased
    arp = _quietly(lambda: domain.interfaceAddresses(_ARP)) or {}
    return _merge(leased, tuple(_addresses(arp, "arp")))


def _addresses(answer: Mapping[str, Any], source: Literal["agent", "lease", "arp"]) -> Iterable[Address]:
    for name, interface in answer.items():
        for entry in interface.get("addrs") or ():
            guest_name = name if source == "agent" else None  # the others tell the host's name of it
            address = _address(entry.get("addr"), entry.get("prefix"), interface.get("hwaddr"), guest_name, source)
            if address is not None:
                yield address


def _address(ip: Any, prefix: Any, mac: Any, name: Any, source: Literal["agent", "lease", "arp"]) -> Address | None:
    plain = guest_ip(str(ip))
    if plain is None:
        return None
    return Address(
        ip=plain,
        source=source,
        mac=str(mac).lower() if mac else None,
        interface=str(name) if name else None,
        prefix_length=None if source == "arp" else prefix_length(plain, prefix),
    )


def _merge(better: tuple[Address, ...], others: tuple[Address, ...]) -> tuple[Address, ...]:
    known = {address.ip for address in better}
    return better + tuple(address for address in others if address.ip not in known)


def _count(value: Any) -> int:
    return min(value, 4096) if isinstance(value, int) else 0


def _quietly(call: Any) -> Any:
    """Return an answer, or `None` where there is none: the domain may have stopped, or the hypervisor not know it."""
    try:
        return call()
    except libvirt.libvirtError as exc:
        if is_lost(exc):
            raise
        return None
