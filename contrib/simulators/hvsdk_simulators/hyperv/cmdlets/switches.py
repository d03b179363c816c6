"""Virtual switches: `Get-`, `New-`, `Set-`, `Rename-` and `Remove-VMSwitch`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hvsdk_simulators.hyperv.actions import ActionError, action
from hvsdk_simulators.hyperv.world import Switch

from .errors import CmdletError, not_found
from .names import matches
from .records import Record
from .registry import Bound, cmdlet

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["switch_named", "switch_record"]

_SHARED = "hvsdk_simulators.switches"
"""Where it is kept which external switches the host itself is not on."""


def switch_record(world: World, switch: Switch) -> Record:
    """Return a switch as the module shows it."""
    external = switch.type == "External"
    properties: dict[str, Any] = {
        "Name": switch.name,
        "Id": switch.id,
        "Notes": switch.notes,
        "Extensions": [],
        "BandwidthReservationMode": "Absolute",
        "PacketDirectEnabled": False,
        "EmbeddedTeamingEnabled": False,
        "IovEnabled": False,
        "SwitchType": switch.type,
        "AllowManagementOS": switch.type == "Internal" or (external and switch.id not in _apart(world)),
        "NetAdapterInterfaceDescription": switch.interface if external else None,
        "NetAdapterInterfaceDescriptions": [switch.interface] if external else None,
        "ComputerName": world.node,
        "IsDeleted": False,
    }
    return Record("VMSwitch", str(switch.id), properties, switch)


def switch_named(world: World, name: str) -> Switch:
    """Return the switch of this name, for cmdlets that take a name.

    Raises:
        CmdletError: There is none, or there are several.
    """
    found = [one for one in world.switches.values() if one.name.lower() == name.lower()]
    if not found:
        raise CmdletError(
            "InvalidParameter",
            "InvalidArgument",
            f'Hyper-V was unable to find a virtual switch with name "{name}".',
            name,
        )
    if len(found) > 1:
        raise CmdletError("InvalidOperation", "InvalidOperation", "Sequence contains more than one element", name)
    return found[0]


@action("switch")
def _switch(
    world: World, *, called: str = "", type: str = "Internal", adapter: str | None = None, remove: str | None = None
) -> str:
    """Make a switch, and return its id: `act("switch", called="Lab", type="Private")`; or remove one: `remove=ID`."""
    if remove:
        remove_switch(world, Bound(VMSwitch=[switch_record(world, world.switches[UUID(remove)])]))
        return remove
    if not called:
        raise ActionError("a switch has a name: say how it is 'called'")
    external = {"NetAdapterName": adapter} if adapter else {}
    bound = Bound(Name=called, SwitchType=type, **external)
    made = next(iter(new_switch(world, bound) or ()))
    return str(made["Id"])


@cmdlet("Get-VMSwitch")
def get_switch(world: World, p: Bound) -> Iterable[Record]:
    """Return switches: all, those of a name with wildcards, or those of ids."""
    found = list(world.switches.values())
    if "Id" in p:
        wanted = [UUID(str(one)) for one in p.many("Id")]
        found = [world.switches[one] for one in wanted if one in world.switches]
        if len(found) < len(wanted):
            missing = next(one for one in wanted if one not in world.switches)
            raise not_found(f'a virtual switch with id "{missing}"')
    if p.get("Name") is not None:
        name = str(p["Name"])
        found = [one for one in found if matches(one.name, name)]
        if not found and not any(one in name for one in "*?["):
            raise CmdletError(
                "InvalidParameter",
                "InvalidArgument",
                f'Hyper-V was unable to find a virtual switch with name "{name}".',
                name,
            )
    if "SwitchType" in p:
        found = [one for one in found if one.type in p.many("SwitchType")]
    return [switch_record(world, one) for one in found]


@cmdlet("New-VMSwitch")
def new_switch(world: World, p: Bound) -> Iterable[Record]:
    """Make a switch: an external one on a physical adapter, else an internal or a private one."""
    interface = p.many("NetAdapterInterfaceDescription") or p.many("NetAdapterName")
    if interface and any(one.interface == str(interface[0]) for one in world.switches.values()):
        raise CmdletError(
            "OperationFailed",
            "NotSpecified",
            "Failed while adding virtual Ethernet switch connections. The object already exists. (0x80071392)",
            hresult=0x80071392,
        )
    switch = Switch(
        id=UUID(str(p["Id"])) if p.get("Id") else world.new_id(),
        name=str(p["Name"]),
        type="External" if interface else str(p["SwitchType"]),
        notes=str(p.get("Notes") or ""),
        interface=str(interface[0]) if interface else None,
    )
    world.switches[switch.id] = switch
    if interface and p.get("AllowManagementOS") is False:
        _apart(world).add(switch.id)
    return [switch_record(world, switch)]


@cmdlet("Set-VMSwitch")
def set_switch(world: World, p: Bound) -> Iterable[Record]:
    """Change switches."""
    changed = _targets(world, p)
    for switch in changed:
        if p.get("Notes") is not None:
            switch.notes = str(p["Notes"])
        if p.get("SwitchType") is not None:
            switch.type, switch.interface = str(p["SwitchType"]), None
        interface = p.get("NetAdapterInterfaceDescription") or p.get("NetAdapterName")
        if interface is not None:
            switch.type, switch.interface = "External", str(interface)
        if p.get("AllowManagementOS") is not None:
            (_apart(world).discard if p["AllowManagementOS"] else _apart(world).add)(switch.id)
    return [switch_record(world, one) for one in changed] if p.flag("Passthru") else []


@cmdlet("Rename-VMSwitch")
def rename_switch(world: World, p: Bound) -> Iterable[Record]:
    """Give switches another name, which others may have too."""
    changed = _targets(world, p)
    for switch in changed:
        switch.name = str(p["NewName"])
    return [switch_record(world, one) for one in changed] if p.flag("Passthru") else []


@cmdlet("Remove-VMSwitch")
def remove_switch(world: World, p: Bound) -> None:
    """Remove switches; the adapters that were on them are on none then."""
    for switch in _targets(world, p):
        del world.switches[switch.id]
        _apart(world).discard(switch.id)
        for vm in world.vms.values():
            for adapter in vm.hardware.adapters:
                if adapter.switch == switch.id:
                    adapter.switch = None


def _targets(world: World, p: Bound) -> list[Switch]:
    given = p.many("VMSwitch")
    if given:
        for one in given:
            if one.owner.id not in world.switches:
                raise not_found(f'a virtual switch with id "{one.owner.id}"')
        return [one.owner for one in given]
    found: list[Switch] = []
    for name in p.many("Name"):
        matching = [one for one in world.switches.values() if matches(one.name, str(name))]
        if not matching:
            raise not_found(f'a virtual switch with name "{name}"')
        found += matching
    return found


def _apart(world: World) -> set[UUID]:
    """Return the external switches that the host itself is not on."""
    kept: set[UUID] = world.facts.setdefault(_SHARED, set())
    return kept
