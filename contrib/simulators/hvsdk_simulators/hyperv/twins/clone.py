"""Copies of machines: the twin of a client's `clone.ps1`."""

from __future__ import annotations

import re
import stat
from functools import partial
from typing import Any
from uuid import uuid4

from hvsdk_simulators.hyperv.cmdlets.chains import file_at

from .common import confirm_state, the_vm
from .domains import adapter_id, domain_record, drive_id
from .files import confirm_reach, remove_if_there
from .registry import Host, RefusalError, operation
from .snapshots import new_checkpoint, wait_merge

__all__: list[str] = []


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_PROCESSOR = _same(
    *("Count", "CompatibilityForMigrationEnabled", "CompatibilityForOlderOperatingSystemsEnabled"),
    *("HwThreadCountPerCore", "Maximum", "Reserve", "RelativeWeight", "MaximumCountPerNumaNode"),
    *("MaximumCountPerNumaSocket", "EnableHostResourceProtection", "ExposeVirtualizationExtensions"),
)
_MEMORY = {"Priority": "Priority", "MaximumAmountPerNumaNodeBytes": "MaximumPerNumaNode"}
_DYNAMIC = _same("DynamicMemoryEnabled", "Buffer") | {"MinimumBytes": "Minimum", "MaximumBytes": "Maximum"}
_MACHINE = _same(
    *("AutomaticStartAction", "AutomaticStopAction", "AutomaticStartDelay", "AutomaticCriticalErrorAction"),
    *("AutomaticCriticalErrorActionTimeout", "AutomaticCheckpointsEnabled", "LockOnDisconnect", "CheckpointType"),
    *("EnhancedSessionTransportType", "GuestControlledCacheTypes", "LowMemoryMappedIoSpace"),
    *("HighMemoryMappedIoSpace", "BatteryPassthroughEnabled"),
)
_FIRMWARE = _same("SecureBootTemplate", "ConsoleMode", "PreferredNetworkBootProtocol", "PauseAfterBootFailure") | {
    "EnableSecureBoot": "SecureBoot"
}
_ADAPTER = _same(
    *("MacAddressSpoofing", "DhcpGuard", "RouterGuard", "IeeePriorityTag", "IovWeight", "VirtualSubnetId"),
    *("IovQueuePairsRequested", "IovInterruptModeration", "AllowTeaming", "DeviceNaming", "StormLimit", "FixSpeed10G"),
    *("DynamicIPAddressLimit", "NumaAwarePlacement", "InterruptModeration"),
) | {"PortMirroring": "PortMirroringMode", "VmqWeight": "VMQWeight"}
_SEED = re.compile(r"\\hvsdk-seed-[0-9a-f-]{36}\.iso$", re.IGNORECASE)
_EXTRAS = {
    "Get-VMAssignableDevice": "a device of the host that is assigned to it",
    "Get-VMGpuPartitionAdapter": "a part of a graphics adapter of the host",
}


@operation("clone.make")
def _make(host: Host, arguments: dict[str, Any]) -> Any:
    id, name, linked = arguments["id"], arguments["name"], bool(arguments["linked"])
    vm = the_vm(host, id)
    _confirm_clone(host, vm, linked)
    made: list[str] = []
    moved: list[dict[str, Any]] = []
    new = ground = None
    done = False
    try:
        if vm["State"] != "Off":
            ground = new_checkpoint(host, vm, "hvsdk: a clone is being made", "disks", None)
            drives = host.run("Get-VMHardDiskDrive", VMSnapshot=ground)
        else:
            drives = host.run("Get-VMHardDiskDrive", VM=[vm])
        drives = [drive for drive in drives if drive["Path"]]
        confirm_reach(host, vm, [drive["Path"] for drive in drives])
        grounds = {drive_id(drive): str(drive["Path"]) for drive in drives}
        if linked:
            _move_original(host, vm, drives, made, moved)
        paths: dict[str, str] = {}
        for place, source in grounds.items():
            target = _new_path(source, name)
            paths[place] = target
            made.append(target)
            if linked:
                host.run("New-VHD", Path=[target], ParentPath=source, Differencing=True)
            else:
                _copy_disk(host, source, target, ground is not None, made)
            host.progress = 0.9 * len(paths) / len(drives)
        new = host.one(
            "New-VM", Name=name, Generation=vm["Generation"], MemoryStartupBytes=vm["MemoryStartup"], NoVHD=True
        )
        _copy(host, vm, new, paths, arguments["notes"] or "")
        record = domain_record(host, host.one("Get-VM", Id=new["Id"]), ["config"])
        if ground is not None:
            host.run("Remove-VMSnapshot", VMSnapshot=[ground], Confirm=False)
            ground = None
            wait_merge(host, id)
        done = True
    finally:
        if not done:
            _undo(host, vm, new, moved, made)
        if ground is not None:
            remove = partial(host.run, "Remove-VMSnapshot", VMSnapshot=[ground], Confirm=False)
            host.undo(f"a snapshot of '{vm['Name']}'", remove)
    return record


# ---- what is refused -------------------------------------------------------------------------------------


def _confirm_clone(host: Host, vm: Any, linked: bool) -> None:
    if not linked:
        confirm_state(vm, "cloned", "Off", "Running", "Paused")
    else:
        confirm_state(vm, "cloned", "Off")
        if host.run("Get-VMSnapshot", VM=[vm]):
            text = f"no linked clone can lie on '{vm['Name']}': it has snapshots, whose files Hyper-V merges"
            raise RefusalError("Unsupported", text, hint="delete its snapshots, or make a full clone")
    _confirm_copyable(host, vm)


def _confirm_copyable(host: Host, vm: Any) -> None:
    def stop(what: str) -> None:
        text = f"'{vm['Name']}' cannot be cloned: it has {what}, which a copy would lack"
        raise RefusalError("Unsupported", text)

    if any(_read(vm, "FibreChannelHostBusAdapters") or ()):
        stop("a Fibre Channel adapter")
    if _read(vm, "RemoteFxAdapter"):
        stop("a RemoteFX adapter")
    if vm["Generation"] == 2:
        security = host.one("Get-VMSecurity", VM=[vm])
        if security["TpmEnabled"] or security["Shielded"]:
            stop("a virtual TPM")
    for name, what in _EXTRAS.items():
        if host.run(name, VM=[vm]):
            stop(what)
    for drive in host.run("Get-VMHardDiskDrive", VM=[vm]):
        if drive["DiskNumber"] is not None:
            stop("a disk of the host itself")
        if drive["SupportPersistentReservations"]:
            stop("a disk that is shared with others")
    for adapter in host.run("Get-VMNetworkAdapter", VM=[vm]):
        if any(_read(adapter, "AclList") or ()) or any(_read(adapter, "ExtendedAclList") or ()):
            stop("an adapter with rules for its traffic")
        vlan = _read(adapter, "VlanSetting")
        if vlan and vlan["OperationMode"] == "Private":
            stop("an adapter in a private VLAN")


# ---- what is copied --------------------------------------------------------------------------------------


def _read(record: Any, name: str) -> Any:
    return record[name] if name in record.properties else None


def _difference(old: Any, new: Any, names: dict[str, str]) -> dict[str, Any]:
    """Return the parameters that make one object's properties those of another."""
    changes = {}
    for parameter, name in names.items():
        wanted = _read(old, name)
        if wanted is not None and wanted != "" and wanted != _read(new, name):
            changes[parameter] = wanted
    return changes


def _new_path(beside: str, name: str) -> str:
    folder = beside[: beside.rindex("\\") + 1]
    stem = re.sub("[^A-Za-z0-9._-]+", "_", name)[:40].strip("._") or "disk"
    ending = ".vhd" if re.search(r"\.a?vhd$", beside, re.IGNORECASE) else ".vhdx"
    return f"{folder}{stem}-{uuid4().hex[:12]}{ending}"


def _root_type(host: Host, path: str) -> str:
    disk = host.one("Get-VHD", Path=[path])
    while disk["ParentPath"]:
        disk = host.one("Get-VHD", Path=[disk["ParentPath"]])
    return "Fixed" if disk["VhdType"] == "Fixed" else "Dynamic"


def _copy_disk(host: Host, source: str, target: str, used: bool, made: list[str]) -> None:
    """Copy a disk with all that it lies on; of one that a running machine lies on, file by file."""
    if not used:
        host.run("Convert-VHD", Path=source, DestinationPath=target, VHDType=_root_type(host, source))
        return
    chain = [source]
    while parent := host.one("Get-VHD", Path=[chain[-1]])["ParentPath"]:
        chain.append(parent)
    below = None
    parts = []
    for path in reversed(chain):
        copy = target
        if below is not None:
            copy = _new_path(target, "hvsdk-copying")
            parts.append(copy)
            made.append(copy)
        host.run("Copy-Item", LiteralPath=[path], Destination=copy)
        if below is not None:
            host.run("Set-VHD", Path=copy, ParentPath=below, IgnoreIdMismatch=True)
        below = copy
    if not parts:
        return
    host.run("Merge-VHD", Path=below, DestinationPath=target, Force=True)
    for part in parts:
        if host.one("Test-Path", LiteralPath=[part]):
            host.run("Remove-Item", LiteralPath=[part], Force=True)


def _copy(host: Host, vm: Any, new: Any, paths: dict[str, str], notes: str) -> None:
    def both(name: str) -> tuple[Any, Any]:
        return host.one(name, VM=[vm]), host.one(name, VM=[new])

    changes = _difference(*both("Get-VMProcessor"), _PROCESSOR)
    if changes:
        host.run("Set-VMProcessor", VM=[new], **changes)
    old, fresh = both("Get-VMMemory")
    changes = _difference(old, fresh, _MEMORY)
    if old["DynamicMemoryEnabled"]:
        changes |= _difference(old, fresh, _DYNAMIC)
    elif fresh["DynamicMemoryEnabled"]:
        changes["DynamicMemoryEnabled"] = False
    if changes:
        host.run("Set-VMMemory", VM=[new], **changes)
    adapters = _copy_devices(host, vm, new, paths)
    _copy_boot_order(host, vm, new, adapters)
    _copy_services(host, vm, new)
    for old_id, adapter in adapters.items():
        notes = notes.replace(old_id, adapter_id(adapter))
    changes = _difference(vm, new, _MACHINE)
    if notes:
        changes["Notes"] = notes
    if changes:
        host.run("Set-VM", VM=[new], **changes)


def _copy_devices(host: Host, vm: Any, new: Any, paths: dict[str, str]) -> dict[str, Any]:
    for adapter in host.run("Get-VMNetworkAdapter", VM=[new]):
        host.run("Remove-VMNetworkAdapter", VMNetworkAdapter=[adapter])
    for drive in host.run("Get-VMDvdDrive", VM=[new]):
        host.run("Remove-VMDvdDrive", VMDvdDrive=[drive])
    missing = len(host.run("Get-VMScsiController", VM=[vm])) - len(host.run("Get-VMScsiController", VM=[new]))
    for _ in range(missing):
        host.run("Add-VMScsiController", VM=[new])
    for drive in host.run("Get-VMHardDiskDrive", VM=[vm]):
        place = {name: drive[name] for name in ("ControllerType", "ControllerNumber", "ControllerLocation")}
        if drive["Path"]:
            place["Path"] = paths[drive_id(drive)]
        place |= {name: drive[name] for name in ("MaximumIOPS", "MinimumIOPS") if drive[name]}
        host.run("Add-VMHardDiskDrive", VM=[new], **place)
    for drive in host.run("Get-VMDvdDrive", VM=[vm]):
        place = {name: drive[name] for name in ("ControllerNumber", "ControllerLocation")}
        if drive["Path"] and not _SEED.search(drive["Path"]):
            place["Path"] = drive["Path"]
        host.run("Add-VMDvdDrive", VM=[new], **place)
    return _copy_adapters(host, vm, new)


def _copy_adapters(host: Host, vm: Any, new: Any) -> dict[str, Any]:
    adapters = {}
    switches = {str(one["Id"]): one for one in host.run("Get-VMSwitch")}
    for old in host.run("Get-VMNetworkAdapter", VM=[vm]):
        made = host.one(
            "Add-VMNetworkAdapter", VM=[new], Name=old["Name"], IsLegacy=bool(old["IsLegacy"]), Passthru=True
        )
        switch = switches.get(str(old["SwitchId"]))
        if old["Connected"] and switch is not None:
            host.run("Connect-VMNetworkAdapter", VMNetworkAdapter=[made], VMSwitch=switch)
        changes = _difference(old, made, _ADAPTER)
        if changes:
            host.run("Set-VMNetworkAdapter", VMNetworkAdapter=made, **changes)
        vlan = old["VlanSetting"]
        mode = vlan["OperationMode"] if vlan else None
        if mode == "Access":
            host.run("Set-VMNetworkAdapterVlan", VMNetworkAdapter=[made], Access=True, VlanId=vlan["AccessVlanId"])
        if mode == "Trunk":
            allowed = ",".join(map(str, vlan["AllowedVlanIdList"]))
            host.run(
                "Set-VMNetworkAdapterVlan",
                VMNetworkAdapter=[made],
                Trunk=True,
                NativeVlanId=vlan["NativeVlanId"],
                AllowedVlanIdList=allowed,
            )
        adapters[adapter_id(old)] = made
    return adapters


def _copy_boot_order(host: Host, vm: Any, new: Any, adapters: dict[str, Any]) -> None:
    if vm["Generation"] != 2:
        bios = host.one("Get-VMBios", VM=[vm])
        if bios["StartupOrder"]:
            host.run("Set-VMBios", VM=[new], StartupOrder=list(bios["StartupOrder"]))
        if _read(bios, "NumLockEnabled"):
            host.run("Set-VMBios", VM=[new], EnableNumLock=True)
        return
    old = host.one("Get-VMFirmware", VM=[vm])
    changes = _difference(old, host.one("Get-VMFirmware", VM=[new]), _FIRMWARE)
    if changes:
        host.run("Set-VMFirmware", VM=[new], **changes)
    found = [*host.run("Get-VMHardDiskDrive", VM=[new]), *host.run("Get-VMDvdDrive", VM=[new])]
    drives = {drive_id(drive): drive for drive in found}
    order = []
    for source in old["BootOrder"] or ():
        device = source["Device"]
        if device is not None and source["BootType"] == "Drive":
            order.append(drives.get(drive_id(device)))
        elif device is not None and source["BootType"] == "Network":
            order.append(adapters.get(adapter_id(device)))
    order = [device for device in order if device is not None]
    if order:
        host.run("Set-VMFirmware", VM=[new], BootOrder=order)


def _copy_services(host: Host, vm: Any, new: Any) -> None:
    def kind(service: Any) -> str:
        return str(service["Id"]).rpartition("\\")[2]

    wanted = {kind(one): bool(one["Enabled"]) for one in host.run("Get-VMIntegrationService", VM=[vm])}
    for service in host.run("Get-VMIntegrationService", VM=[new]):
        enabled = wanted.get(kind(service))
        if enabled is None or enabled == bool(service["Enabled"]):
            continue
        verb = "Enable" if enabled else "Disable"
        host.run(f"{verb}-VMIntegrationService", VMIntegrationService=[service])


# ---- the original of a linked clone, and undoing ---------------------------------------------------------


def _move_original(host: Host, vm: Any, drives: list[Any], made: list[str], moved: list[dict[str, Any]]) -> None:
    for drive in drives:
        ground = drive["Path"]
        own = _new_path(ground, vm["Name"])
        made.append(own)
        host.run("New-VHD", Path=[own], ParentPath=ground, Differencing=True)
        file = file_at(host.world, ground)
        size = host.one("Get-VHD", Path=[own])["FileSize"]
        moved.append({"drive": drive, "own": own, "size": size, "ground": ground, "mode": file.stat().st_mode})
        host.run("Set-VMHardDiskDrive", VMHardDiskDrive=[drive], Path=own)
        file.chmod(stat.S_IMODE(file.stat().st_mode) & ~0o222)


def _undo(host: Host, vm: Any, new: Any, moved: list[dict[str, Any]], made: list[str]) -> None:
    if new is not None:
        remove = partial(host.run, "Remove-VM", VM=[new], Force=True)
        if not host.undo(f"the new machine '{new['Name']}' with its disks", remove):
            return
    kept = set()

    def give_back(one: dict[str, Any]) -> None:
        if the_vm(host, vm["Id"])["State"] != "Off":
            raise RefusalError("OperationFailed", "it was started meanwhile")
        if host.one("Get-VHD", Path=[one["own"]])["FileSize"] != one["size"]:
            raise RefusalError("OperationFailed", "it was written meanwhile")
        host.run("Set-VMHardDiskDrive", VMHardDiskDrive=[one["drive"]], Path=one["ground"])
        kept.discard(one["own"])

    def make_writable(one: dict[str, Any]) -> None:
        file_at(host.world, one["ground"]).chmod(stat.S_IMODE(one["mode"]))

    for one in moved:
        kept.add(one["own"])
        what = f"'{vm['Name']}' on '{one['own']}' in place of '{one['ground']}', which is read-only"
        if host.undo(what, partial(give_back, one)):
            host.undo(f"the read-only mark of '{one['ground']}'", partial(make_writable, one))
    for path in made:
        if path not in kept:
            remove_if_there(host, path)
