"""Virtual switches: the twin of a client's `networks.ps1`."""

from __future__ import annotations

from typing import Any

from .registry import Host, RefusalError, operation

__all__ = ["the_switch", "usual_switch"]


def the_switch(host: Host, key: str) -> Any:
    """Return the switch with this id, else the one of this name.

    Raises:
        RefusalError: There is none, or there are several.
    """
    switches = host.run("Get-VMSwitch")
    found = [one for one in switches if str(one["Id"]) == key.lower()]
    found = found or [one for one in switches if one["Name"] == key]
    found = found or [one for one in switches if one["Name"].lower() == key.lower()]
    if len(found) > 1:
        ids = ", ".join(str(one["Id"]) for one in found)
        raise RefusalError("AmbiguousName", f"{len(found)} switches are called '{key}': {ids}", hint="give its id")
    if not found:
        names = ", ".join(f"'{one['Name']}'" for one in switches)
        raise RefusalError("NetworkNotFound", f"there is no switch '{key}'; there are: {names}")
    return found[0]


def usual_switch(host: Host) -> Any:
    """Return the switch of an adapter that names none: the only one, or the only external one."""
    switches = host.run("Get-VMSwitch")
    if len(switches) > 1:
        switches = [one for one in switches if one["SwitchType"] == "External"]
    return switches[0] if len(switches) == 1 else None


@operation("networks.list")
def _list(host: Host, arguments: dict[str, Any]) -> Any:
    return [
        {
            "id": str(one["Id"]),
            "name": one["Name"],
            "type": one["SwitchType"],
            "notes": one["Notes"] or None,
            "interface": one["NetAdapterInterfaceDescription"] or None,
            "host_is_on_it": bool(one["AllowManagementOS"]),
            "teaming": bool(one["EmbeddedTeamingEnabled"]),
        }
        for one in host.run("Get-VMSwitch")
    ]
