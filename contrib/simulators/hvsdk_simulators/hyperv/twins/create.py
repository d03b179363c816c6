"""New machines: the twin of a client's `create.ps1`."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.versions import has_parameter
from hvsdk_simulators.hyperv.file_system import FileSystem

from .adapters import add_wished_adapter
from .common import the_vm
from .disks import add_wished_drive
from .domains import adapter_id, domain_record
from .files import default_folder, join, pool_folder, remove_if_there
from .registry import Host, RefusalError, operation

__all__: list[str] = []


def _supported(host: Host, command: str, wishes: dict[str, Any]) -> dict[str, Any]:
    given = {}
    for name, value in wishes.items():
        if value is None:
            continue
        if not has_parameter(host.world.options.version, command, name):
            text = f"this version of Hyper-V has no setting {name}: it came later"
            raise RefusalError("InvalidSpec", text, hint="leave that hint out")
        given[name] = value
    return given


def _set_basics(host: Host, vm: Any, wish: dict[str, Any]) -> None:
    least, most = wish.get("memory_minimum"), wish.get("memory_maximum")
    dynamic = least is not None or most is not None
    memory: dict[str, Any] = {"VM": [vm], "DynamicMemoryEnabled": dynamic, "StartupBytes": wish["memory"]}
    if dynamic:
        memory["MinimumBytes"] = min(512 << 20, wish["memory"]) if least is None else least
        memory["MaximumBytes"] = 1 << 40 if most is None else most
    host.run("Set-VMMemory", **memory)
    processors = _supported(host, "Set-VMProcessor", {"ExposeVirtualizationExtensions": wish.get("nested")})
    host.run("Set-VMProcessor", VM=[vm], Count=wish["vcpus"], **processors)
    settings = _supported(host, "Set-VM", {"CheckpointType": wish.get("checkpoint_type")})
    if has_parameter(host.world.options.version, "Set-VM", "AutomaticCheckpointsEnabled"):
        settings["AutomaticCheckpointsEnabled"] = False
    host.run("Set-VM", VM=[vm], AutomaticStartAction=wish["start_action"], **settings)


def _set_secure_boot(host: Host, vm: Any, wish: dict[str, Any]) -> None:
    if vm["Generation"] != 2:
        return
    template = _supported(host, "Set-VMFirmware", {"SecureBootTemplate": wish.get("secure_boot_template")})
    host.run("Set-VMFirmware", VM=[vm], EnableSecureBoot="On" if wish.get("secure_boot") else "Off", **template)


def _add_drives(host: Host, vm: Any, wishes: list[dict[str, Any]], made: list[str]) -> list[Any]:
    order: dict[int, Any] = {}
    for number, wish in enumerate(wishes, 1):
        drive = add_wished_drive(host, vm, wish)
        if wish["device"] != "cdrom" and (not wish.get("names") or wish.get("copy")):
            made.append(drive["Path"])
        if wish.get("boot") is not None:
            order[wish["boot"]] = drive
        host.progress = 0.1 + 0.7 * number / len(wishes)
    return [order[place] for place in sorted(order)]


def _set_boot_order(host: Host, vm: Any, first: list[Any]) -> None:
    if not first or vm["Generation"] != 2:
        return
    ids = [one["Id"] for one in first]
    sources = host.one("Get-VMFirmware", VM=[vm])["BootOrder"]
    rest = [one for one in sources if one["Device"] is None or one["Device"]["Id"] not in ids]
    host.run("Set-VMFirmware", VM=[vm], BootOrder=[*first, *rest])


def _add_adapters(host: Host, vm: Any, wishes: list[dict[str, Any]]) -> dict[str, str]:
    known: dict[str, str] = {}
    for wish in wishes:
        adapter, switch = add_wished_adapter(host, vm, wish)
        if wish.get("token"):
            known[wish["token"]] = adapter_id(adapter)
            if switch is not None:
                known[wish["switch_token"]] = str(switch["Id"])
    return known


def _write_seed(host: Host, vm: Any, seed: dict[str, Any], made: list[str]) -> None:
    folder = default_folder(host)
    name = f"hvsdk-seed-{vm['Id']}.iso"
    path = join(folder, name)
    with host.world.lock:
        FileSystem(host.world).new_file(path).write_bytes(base64.b64decode(seed["data"]))
    made.append(path)
    add_wished_drive(host, vm, {"device": "cdrom", "bus": None, "source_pool": folder, "names": [name]})


@operation("create.make")
def _make(host: Host, arguments: dict[str, Any]) -> Any:
    how: dict[str, Any] = {
        "Name": arguments["name"],
        "Generation": arguments["generation"],
        "MemoryStartupBytes": arguments["memory"],
        "NoVHD": True,
    }
    if arguments.get("path"):
        how["Path"] = pool_folder(host, arguments["path"])
    how |= _supported(host, "New-VM", {"Version": arguments.get("version")})
    made: list[str] = []
    vm, done = None, False
    try:
        vm = host.one("New-VM", **how)
        for drive in host.run("Get-VMDvdDrive", VM=[vm]):
            host.run("Remove-VMDvdDrive", VMDvdDrive=[drive])
        for adapter in host.run("Get-VMNetworkAdapter", VM=[vm]):
            host.run("Remove-VMNetworkAdapter", VMNetworkAdapter=[adapter])
        _set_basics(host, vm, arguments)
        _set_secure_boot(host, vm, arguments)
        first = _add_drives(host, vm, arguments["drives"], made)
        known = _add_adapters(host, vm, arguments["adapters"])
        if arguments.get("seed"):
            _write_seed(host, vm, arguments["seed"], made)
        _set_boot_order(host, vm, first)
        notes = arguments.get("notes") or ""
        for token, value in known.items():
            notes = notes.replace(token, value)
        if notes:
            host.run("Set-VM", VM=[vm], Notes=notes)
        record = domain_record(host, the_vm(host, vm["Id"]), ["config"])
        done = True
    finally:
        if not done and vm is not None:
            remove = partial(host.run, "Remove-VM", VM=[vm], Force=True)
            if host.undo(f"the new machine '{vm['Name']}' with its disks", remove):
                for path in made:
                    remove_if_there(host, path)
    return record
