"""A domain's two descriptions, the running one and the one it boots with next, and the devices in them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs
import libvirt
from hvsdk.driver import PowerState, errors

from hvsdk_kvm._plan import Platform
from hvsdk_kvm._xml import parse_xml, write_xml
from hvsdk_kvm._xml_read import nics

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["Views", "find_disk", "find_nic"]

_SECURE = libvirt.VIR_DOMAIN_XML_SECURE


@attrs.frozen
class Views:
    """What a change of devices has to change: the running domain where it runs, its definition where it has one."""

    domain: libvirt.virDomain
    live: ET.Element | None
    config: ET.Element | None

    @classmethod
    def of(cls, session: Session, native_id: str) -> Views:
        """Read both.

        Raises:
            PowerStateError: Its memory is saved: what is restored must find the devices that it knew.
        """
        domain = session.lookup(native_id)
        active, persistent = bool(domain.isActive()), bool(domain.isPersistent())
        if not active and domain.hasManagedSaveImage(0):
            raise errors.PowerStateError(
                f"the devices of {domain.name()!r} cannot change while its memory is saved", state=PowerState.SUSPENDED
            )
        live = parse_xml(domain.XMLDesc(_SECURE)) if active else None
        config = parse_xml(domain.XMLDesc(_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)) if persistent else None
        return cls(domain, live, config)

    @property
    def flags(self) -> int:
        """libvirt's flags for both, as far as they are there."""
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE if self.live is not None else 0
        return int(live | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if self.config is not None else 0))

    @property
    def running(self) -> bool:
        """Whether there is a running domain to change."""
        return self.live is not None

    @property
    def roots(self) -> list[ET.Element]:
        """Both descriptions, the running one first."""
        return [root for root in (self.live, self.config) if root is not None]

    @property
    def platform(self) -> Platform:
        """What the domain is made for."""
        root = self.roots[0]
        kind = root.find("os/type")
        return Platform(
            domain_type=root.get("type", ""),
            arch="" if kind is None else kind.get("arch", ""),
            machine=None if kind is None else kind.get("machine"),
        )

    def each(self, find: Callable[[ET.Element], ET.Element | None]) -> list[tuple[ET.Element, int]]:
        """Return a device as each description has it, with libvirt's flag for that one."""
        found = []
        for root, flag in (
            (self.live, libvirt.VIR_DOMAIN_AFFECT_LIVE),
            (self.config, libvirt.VIR_DOMAIN_AFFECT_CONFIG),
        ):
            device = None if root is None else find(root)
            if device is not None:
                found.append((device, int(flag)))
        return found

    def detach(self, found: list[tuple[ET.Element, int]]) -> None:
        """Ask for a device to be taken out of each description that has it; it may go later.

        QEMU is asked by the device's alias: libvirt would else wait five seconds for the guest, and keep everybody from
        the domain meanwhile. The running domain goes first, so that the definition is left alone when it refuses.
        """
        alias = self._alias(found)
        if alias is not None:
            self.domain.detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)
            found = [item for item in found if item[1] != libvirt.VIR_DOMAIN_AFFECT_LIVE]
        if found:
            self.domain.detachDeviceFlags(write_xml(found[0][0]), sum(flag for _, flag in found))

    def _alias(self, found: list[tuple[ET.Element, int]]) -> str | None:
        """Return QEMU's name of a running domain's device, `None` where there is none to ask by."""
        if not self.platform.qemu:
            return None
        live = (device for device, flag in found if flag == libvirt.VIR_DOMAIN_AFFECT_LIVE)
        alias = next((device.find("alias") for device in live), None)
        return None if alias is None else alias.get("name")

    def update(self, found: list[tuple[ET.Element, int]], change: Callable[[ET.Element], None]) -> None:
        """Change a device in each description; the first is changed back when the second refuses."""
        done: list[tuple[str, int]] = []
        for device, flag in found:
            before = write_xml(device)
            change(device)
            try:
                self.domain.updateDeviceFlags(write_xml(device), flag)
            except libvirt.libvirtError:
                for text, earlier in done:
                    self.domain.updateDeviceFlags(text, earlier)
                raise
            done.append((before, flag))

    def lacking_scsi(self) -> int:
        """Return libvirt's flags for the descriptions that have no SCSI controller."""
        has = sum(flag for _, flag in self.each(lambda root: root.find("devices/controller[@type='scsi']")))
        return self.flags - has

    def targets(self) -> set[str]:
        """Return the names of all disks and drives in either."""
        return {target.get("dev", "") for root in self.roots for target in root.iterfind("devices/disk/target")}

    def macs(self) -> set[str]:
        """Return the MAC addresses of all adapters in either."""
        return {mac.get("address", "").lower() for root in self.roots for mac in root.iterfind("devices/interface/mac")}


def find_disk(disk_id: str) -> Callable[[ET.Element], ET.Element | None]:
    """Return a function that finds a disk by its id, its target's name, in a description."""

    def find(root: ET.Element) -> ET.Element | None:
        return next((disk for disk in root.iterfind("devices/disk") if _target(disk) == disk_id), None)

    return find


def find_nic(nic_id: str) -> Callable[[ET.Element], ET.Element | None]:
    """Return a function that finds an adapter by its id in a description."""

    def find(root: ET.Element) -> ET.Element | None:
        elements: Iterator[ET.Element] = root.iterfind("devices/interface")
        return next((element for element, nic in zip(elements, nics(root), strict=True) if nic.id == nic_id), None)

    return find


def _target(disk: ET.Element) -> str | None:
    target = disk.find("target")
    return None if target is None else target.get("dev")
