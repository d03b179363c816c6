"""Network adapters of domains that are there."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hvsdk.driver import Deadline, NicSpec, errors

from hvsdk_kvm._device_xml import Views, find_nic
from hvsdk_kvm._nics import plan_nic
from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import write_xml
from hvsdk_kvm._xml_devices import nic_element

__all__ = ["NicVerbs"]


class NicVerbs(Session):
    """`attach_nic`, `detach_nic` and `set_nic_link`."""

    def attach_nic(self, native_id: str, nic: NicSpec, *, deadline: Deadline) -> str:
        views = Views.of(self, native_id)
        taken = views.macs()
        if nic.mac in taken:
            raise errors.AlreadyExistsError(f"{views.domain.name()!r} already has an adapter {nic.mac}")
        plan = plan_nic(self, nic, views.platform, taken=taken)
        views.domain.attachDeviceFlags(write_xml(nic_element(plan)), views.flags)
        return plan.mac

    def detach_nic(self, native_id: str, nic_id: str, *, deadline: Deadline) -> None:
        views = Views.of(self, native_id)
        views.detach(_found(views, nic_id))

    def set_nic_link(self, native_id: str, nic_id: str, up: bool, *, deadline: Deadline) -> None:
        views = Views.of(self, native_id)
        views.update(_found(views, nic_id), lambda element: _set_link(element, up=up))


def _found(views: Views, nic_id: str) -> list[tuple[ET.Element, int]]:
    found = views.each(find_nic(nic_id))
    if not found:
        raise errors.NicNotFoundError(f"{views.domain.name()!r} has no network adapter {nic_id!r}")
    return found


def _set_link(element: ET.Element, *, up: bool) -> None:
    link = element.find("link")
    if link is None:
        link = ET.SubElement(element, "link")
    link.set("state", "up" if up else "down")
