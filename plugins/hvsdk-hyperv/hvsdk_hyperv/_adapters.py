"""Network adapters of domains that are there.

An adapter of Hyper-V has no cable that could be unplugged: it is on a switch or on none. The switch that it was on is
remembered in the notes' block, and it comes back to exactly that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hvsdk.driver import Capability, Deadline, DomainInfo, Hint, NicSpec, Unsupported, errors, read_hints

from hvsdk_hyperv._labels import LabelVerbs
from hvsdk_hyperv._notes import read_notes

__all__ = ["NIC_HINTS", "AdapterVerbs", "nic_arguments"]

NIC_HINTS: Final = {"hyperv.name": Hint("what the adapter is called on the host")}
_LEGACY: Final[Mapping[str | None, bool]] = {None: False, "synthetic": False, "legacy": True}
_LAST_VLAN: Final = 4094
_TRIES: Final = 20
_PLUGS_FROM: Final = 6
"""Major configuration version; Windows Server 2012 R2 has 5."""


class AdapterVerbs(LabelVerbs):
    """`attach_nic`, `detach_nic` and `set_nic_link`."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        details = info.details if "details" in info.loaded else {}
        if details.get("hyperv.generation") == 1:
            limits[Capability.HOTPLUG_NIC] = Unsupported("a domain of generation 1 takes adapters only while it is off")
        elif not can_plug(details.get("hyperv.version")):
            limits[Capability.HOTPLUG_NIC] = Unsupported("Windows Server 2012 R2 plugs no adapters into what runs")
        return limits

    def attach_nic(self, native_id: str, nic: NicSpec, *, deadline: Deadline) -> str:
        """Add an adapter; while the domain runs, only to one of generation 2, and from Windows Server 2016 on.

        Without a network it is on the host's only switch, or its only external one, else on none.
        """
        made = self.call("adapters.add", {"id": native_id, **nic_arguments(nic)}, deadline=deadline)
        adapter = str(made["id"])
        switch = made["switch"]
        if not nic.link_up and switch is not None:
            try:
                self.change_notes(native_id, lambda before: before.with_link(adapter, switch), deadline)
            except BaseException:
                self.call("adapters.remove", {"id": native_id, "nic": adapter}, deadline=Deadline(30.0))
                raise
        return adapter

    def detach_nic(self, native_id: str, nic_id: str, *, deadline: Deadline) -> None:
        """Take an adapter out, and forget what it was on."""
        gone = self.call("adapters.remove", {"id": native_id, "nic": nic_id}, deadline=deadline)
        adapter = str(gone["id"])
        if adapter in read_notes(gone["notes"]).links:
            self.change_notes(native_id, lambda before: before.with_link(adapter, None), deadline)

    def set_nic_link(self, native_id: str, nic_id: str, up: bool, *, deadline: Deadline) -> None:
        """Take an adapter off its switch, or put it back on the one that it was on.

        Raises:
            NetworkNotFoundError: That switch is no longer there.
            UnsupportedError: It was never on one.
        """
        now = self.call("adapters.get", {"id": native_id, "nic": nic_id}, deadline=deadline)
        for _ in range(_TRIES):
            adapter = now["adapter"]
            if adapter["connected"] is up:
                return
            answer = self.call("adapters.link", self._link(native_id, now, up), deadline=deadline)
            if answer["done"]:
                return
            now = answer["now"]
        raise errors.BusyError("the adapter is being changed all the time", hint="try again later")

    def _link(self, native_id: str, now: Mapping[str, Any], up: bool) -> dict[str, Any]:
        """Return what is asked of the host: which switch, and the notes that go with it."""
        adapter, notes = now["adapter"], read_notes(now["notes"])
        known = notes.links.get(adapter["id"])
        switch = known.get("switch") if known is not None else None
        if up and switch is None:
            raise errors.UnsupportedError(
                "set_nic_link is not possible: the adapter is on no network, and hvsdk did not unplug it",
                hint="attach an adapter on the network that you mean, and detach this one",
            )
        remembered = None if up else {"switch": adapter["switch_id"], "name": adapter["switch"] or ""}
        return {
            "id": native_id,
            "nic": adapter["id"],
            "switch": switch if up else None,
            "notes": notes.with_link(adapter["id"], remembered).write(),
            "expected": {"notes": now["notes"], "switch_id": adapter["switch_id"]},
        }


def can_plug(version: str | None) -> bool:
    """Return whether a configuration version is one that takes adapters while it runs; one not known may be."""
    major = (version or "").partition(".")[0]
    return not major.isdecimal() or int(major) >= _PLUGS_FROM


def nic_arguments(nic: NicSpec) -> dict[str, Any]:
    """Return what an adapter's specification means here, as arguments of the scripts.

    Raises:
        InvalidSpecError: It cannot be had here.
    """
    hints = read_hints(nic.hints, NIC_HINTS, prefix="hyperv.")
    if nic.model not in _LEGACY:
        raise errors.InvalidSpecError(
            f"Hyper-V has no network adapter {nic.model!r}", hint="it has synthetic, and legacy for generation 1"
        )
    if nic.mtu is not None:
        raise errors.InvalidSpecError(
            f"an adapter cannot have an MTU of {nic.mtu} here: guests and switches have theirs", hint="leave mtu= out"
        )
    if nic.vlan is not None and not 0 <= nic.vlan <= _LAST_VLAN:
        raise errors.InvalidSpecError(f"there is no VLAN {nic.vlan}")
    return {
        "switch": nic.network,
        "plug": nic.link_up,
        "mac": nic.mac.replace(":", "").upper() if nic.mac is not None else None,
        "legacy": _LEGACY[nic.model],
        "vlan": nic.vlan or None,
        "name": hints.get("name"),
    }
