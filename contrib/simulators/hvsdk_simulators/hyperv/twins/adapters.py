"""Network adapters: the twin of a client's `adapters.ps1`."""

from __future__ import annotations

from functools import partial
from typing import Any

from .common import confirm_state, the_vm
from .domains import adapter_id, adapter_record
from .networks import the_switch, usual_switch
from .registry import Host, RefusalError, operation

__all__ = ["add_wished_adapter"]


def _find(host: Host, vm: Any, id: str) -> Any:
    adapters = host.run("Get-VMNetworkAdapter", VM=[vm])
    mac = id.replace("-", "").replace(":", "").upper()
    found = [one for one in adapters if adapter_id(one) == id.lower()]
    found = found or [one for one in adapters if one["MacAddress"] == mac]
    if not found:
        raise RefusalError("NicNotFound", f"'{vm['Name']}' has no network adapter '{id}'")
    return found[0]


def _confirm_pluggable(vm: Any, legacy: bool, verb: str) -> None:
    state = vm["State"]
    if state not in ("Running", "Paused"):
        confirm_state(vm, verb, "Off")
        return
    why = None
    if vm["Generation"] != 2:
        why = "generation 1 has no adapters that can be plugged while it is on"
    elif legacy:
        why = "legacy adapters cannot be plugged while it is on"
    elif "CheckpointType" not in vm.properties:
        why = "this version of Windows Server plugs no adapters while it is on"
    if why is not None:
        text = f"'{vm['Name']}' is {state}, and {why}"
        raise RefusalError("PowerState", text, state=state, hint="shut it down first")


def _now(host: Host, vm: Any, id: str) -> dict[str, Any]:
    return {"adapter": adapter_record(_find(host, vm, id)), "notes": vm["Notes"] or ""}


def add_wished_adapter(host: Host, vm: Any, wish: dict[str, Any]) -> tuple[Any, Any]:
    """Add an adapter, and return it with the switch that it is on or would be on: the twin of `Add-WishedAdapter`."""
    legacy, mac = bool(wish.get("legacy")), wish.get("mac")
    if legacy and vm["Generation"] == 2:
        text = f"'{vm['Name']}' is of generation 2, which has no legacy adapters"
        raise RefusalError("InvalidSpec", text, hint="leave model out")
    present = host.run("Get-VMNetworkAdapter", VM=[vm])
    if mac and any(one["MacAddress"] == mac for one in present):
        raise RefusalError("AlreadyExists", f"'{vm['Name']}' already has an adapter {mac}")
    switch = the_switch(host, wish["switch"]) if wish.get("switch") is not None else usual_switch(host)
    parameters: dict[str, Any] = {"VM": [vm], "Passthru": True}
    if wish.get("name"):
        parameters["Name"] = wish["name"]
    if mac:
        parameters["StaticMacAddress"] = mac
    if legacy:
        parameters["IsLegacy"] = True
    adapter = host.one("Add-VMNetworkAdapter", **parameters)
    try:
        if wish.get("vlan"):
            host.run("Set-VMNetworkAdapterVlan", VMNetworkAdapter=[adapter], Access=True, VlanId=wish["vlan"])
        if switch is not None and wish.get("plug"):
            host.run("Connect-VMNetworkAdapter", VMNetworkAdapter=[adapter], VMSwitch=switch)
    except BaseException:
        remove = partial(host.run, "Remove-VMNetworkAdapter", VMNetworkAdapter=[adapter])
        host.undo(f"an adapter of '{vm['Name']}'", remove)
        raise
    return adapter, switch


@operation("adapters.add")
def _add(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    _confirm_pluggable(vm, bool(arguments.get("legacy")), "given an adapter")
    adapter, switch = add_wished_adapter(host, vm, arguments)
    record = {"switch": str(switch["Id"]), "name": switch["Name"]} if switch is not None else None
    return {"id": adapter_id(adapter), "switch": record, "notes": vm["Notes"] or ""}


@operation("adapters.remove")
def _remove(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    adapter = _find(host, vm, arguments["nic"])
    _confirm_pluggable(vm, bool(adapter["IsLegacy"]), "rid of an adapter")
    host.run("Remove-VMNetworkAdapter", VMNetworkAdapter=[adapter])
    return {"id": adapter_id(adapter), "notes": vm["Notes"] or ""}


@operation("adapters.get")
def _get(host: Host, arguments: dict[str, Any]) -> Any:
    return _now(host, the_vm(host, arguments["id"]), arguments["nic"])


@operation("adapters.link")
def _link(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    adapter = _find(host, vm, arguments["nic"])
    now: dict[str, Any] = {"adapter": adapter_record(adapter), "notes": vm["Notes"] or ""}
    expected, notes = arguments.get("expected") or {}, arguments.get("notes") or ""
    if now["notes"] != (expected.get("notes") or "") or now["adapter"]["switch_id"] != expected.get("switch_id"):
        return {"done": False, "now": now}
    wanted = arguments.get("switch")
    if wanted is not None:
        switches = [one for one in host.run("Get-VMSwitch") if str(one["Id"]) == wanted.lower()]
        if not switches:
            text = f"the switch that the adapter was on is no longer there: {wanted}"
            raise RefusalError("NetworkNotFound", text)
        host.run("Connect-VMNetworkAdapter", VMNetworkAdapter=[adapter], VMSwitch=switches[0])
        _write_notes(host, vm, now["notes"], notes)
    else:
        _write_notes(host, vm, now["notes"], notes)
        host.run("Disconnect-VMNetworkAdapter", VMNetworkAdapter=[adapter])
    return {"done": True, "now": _now(host, the_vm(host, arguments["id"]), arguments["nic"])}


def _write_notes(host: Host, vm: Any, before: str, notes: str) -> None:
    if notes != before:
        host.run("Set-VM", VM=[vm], Notes=notes)
