"""Processors and memory of machines that are there: the twin of a client's `reconfigure.ps1`."""

from __future__ import annotations

import contextlib
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import confirm_state, the_vm
from .registry import Host, RefusalError, operation

__all__: list[str] = []


def _set_memory(host: Host, vm: Any, memory: dict[str, Any]) -> None:
    how: dict[str, Any] = {"VM": [vm], "StartupBytes": memory["startup"]}
    if host.one("Get-VMMemory", VM=[vm])["DynamicMemoryEnabled"] is not memory["dynamic"]:
        how["DynamicMemoryEnabled"] = memory["dynamic"]
    if memory["dynamic"]:
        how |= {"MinimumBytes": memory["minimum"], "MaximumBytes": memory["maximum"]}
    host.run("Set-VMMemory", **how)


def _why_not(vm: Any, before: dict[str, Any], after: dict[str, Any], vcpus: int | None) -> str | None:
    grows = after["startup"] != before["startup"]
    if vcpus is not None:
        return "processors cannot be added or taken while it is on"
    if vm["State"] != "Running":
        return "its memory cannot change"
    if after["dynamic"] != before["dynamic"]:
        return "dynamic memory cannot be switched while it is on"
    if grows and before["dynamic"]:
        return "what it boots with cannot change while it is on"
    if grows and "CheckpointType" not in vm.properties:
        return "this version of Windows Server adds no memory while it is on"
    if after["minimum"] > before["minimum"] or after["maximum"] < before["maximum"]:
        return "the bounds of dynamic memory can only be widened while it is on"
    return None


@operation("reconfigure.set")
def _set(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "reconfigured", "Off", "Running", "Paused")
    memory = host.one("Get-VMMemory", VM=[vm])
    before = {
        "dynamic": bool(memory["DynamicMemoryEnabled"]),
        "startup": memory["Startup"],
        "minimum": memory["Minimum"],
        "maximum": memory["Maximum"],
    }
    after = dict(before)
    if arguments.get("memory") is not None:
        after["startup"] = arguments["memory"]
    for name, key in (("memory_minimum", "minimum"), ("memory_maximum", "maximum")):
        if arguments.get(name) is not None:
            after[key], after["dynamic"] = arguments[name], True
    if after["dynamic"] and not after["minimum"] <= after["startup"] <= after["maximum"]:
        bounds = f"{after['minimum']} to {after['maximum']}"
        raise RefusalError("InvalidSpec", f"memory of '{vm['Name']}' would lie outside of its bounds: {bounds}")
    present = host.one("Get-VMProcessor", VM=[vm])["Count"]
    vcpus = arguments.get("vcpus") if arguments.get("vcpus") not in (None, present) else None
    changes = before != after
    if vm["State"] != "Off" and (changes or vcpus is not None):
        why = _why_not(vm, before, after, vcpus)
        if why:
            text = f"'{vm['Name']}' is {vm['State']}, and {why}"
            raise RefusalError("PowerState", text, state=vm["State"], hint="shut it down first")
    done = False
    try:
        if changes:
            _set_memory(host, vm, after)
        if vcpus is not None:
            host.run("Set-VMProcessor", VM=[vm], Count=vcpus)
        done = True
    finally:
        if not done and changes:
            with contextlib.suppress(CmdletError):
                _set_memory(host, vm, before)
    return None
