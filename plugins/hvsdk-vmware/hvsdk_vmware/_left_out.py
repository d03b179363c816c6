"""Disks that vSphere leaves out of snapshots without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hvsdk.driver import Capability, DomainInfo, Unsupported, errors

from hvsdk_vmware._fields import NOTHING, Element, Values, child, kind_of
from hvsdk_vmware._session import VmwareSession

__all__ = ["DEVICES", "LeftOutReads", "refuse_left_out"]

DEVICES = "config.hardware.device"
"""The property that tells of them."""
_INDEPENDENT = "independent"
_WANTED = (Capability.CREATE_SNAPSHOT, Capability.CLONE_LINKED)
_HINT = "detach them, or make them dependent in vSphere's client while the domain is off"


class LeftOutReads(VmwareSession):
    """Says beforehand of which domains no snapshot would be whole."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if info.has("config"):
            labels = [
                str(disk.details.get("vmware.label") or disk.id)
                for disk in info.disks
                if str(disk.details.get("vmware.mode", "")).startswith(_INDEPENDENT)
            ]
            if labels:
                for capability in _WANTED:
                    limits.setdefault(capability, Unsupported(_words(labels)))
        return limits


def refuse_left_out(values: Values, capability: Capability) -> None:
    """Refuse what would silently leave out disks.

    Raises:
        UnsupportedError: The domain has such disks.
    """
    labels = list(_left_out(values.get(DEVICES, NOTHING)))
    if labels:
        raise errors.UnsupportedError(
            f"{capability} is not possible: {_words(labels)}", capability=capability, hint=_HINT
        )


def _left_out(devices: Iterable[Element]) -> Iterable[str]:
    for device in devices:
        if kind_of(device) != "VirtualDisk":
            continue
        physical = child(device, "backing", "compatibilityMode") == "physicalMode"
        if physical or child(device, "backing", "diskMode").startswith(_INDEPENDENT):
            yield child(device, "deviceInfo", "label") or child(device, "key")


def _words(labels: Iterable[str]) -> str:
    return f"snapshots leave out disks that are independent, or raw devices in physical mode: {', '.join(labels)}"
