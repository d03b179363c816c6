"""Virtual machines as records: the twin of a client's `domains.ps1`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import confirm_sight, the_vm, time_text
from .registry import Host, RefusalError, operation

__all__ = ["adapter_id", "adapter_record", "all_vms", "domain_record", "domain_records", "drive_id"]

_NAMESPACE = "root\\virtualization\\v2"
_REALIZED = "VirtualSystemType='Microsoft:Hyper-V:System:Realized'"


def drive_id(drive: Any) -> str:
    """Return what a drive is called: its place."""
    return f"{drive['ControllerType'].lower()}:{drive['ControllerNumber']}:{drive['ControllerLocation']}"


def adapter_id(adapter: Any) -> str:
    """Return what an adapter is called: the id of the device."""
    return str(adapter["Id"]).rpartition("\\")[2].lower()


def all_vms(host: Host) -> list[Any]:
    """Return the VMs of this host, and of the other nodes of its cluster that answer."""
    try:
        found = host.run("Get-VM")
    except CmdletError:
        confirm_sight(host)
        raise
    if not found:
        confirm_sight(host)
    try:
        nodes = sorted(host.run("Get-ClusterNode"), key=lambda one: str(one["Name"]).lower())
    except CmdletError:
        return found
    here = host.one("Get-VMHost")["Name"].lower()
    for node in nodes:
        if node["State"] == "Up" and str(node["Name"]).lower() != here:
            with contextlib.suppress(CmdletError):
                found += host.run("Get-VM", ComputerName=[node["Name"]])
    return found


def domain_record(host: Host, vm: Any, include: Iterable[str]) -> dict[str, Any]:
    """Return the record of one VM.

    Raises:
        RefusalError: It is gone.
    """
    found = domain_records(host, [vm], include)
    if not found:
        raise RefusalError("DomainNotFound", f"there is no virtual machine {vm['Id']} any more")
    return found[0]


def domain_records(host: Host, vms: Sequence[Any], include: Iterable[str]) -> list[dict[str, Any]]:
    """Return the records of VMs, in the same few cmdlets however many there are."""
    wanted = frozenset(include or ())
    around = _Around(host, vms, wanted)
    return [_record(vm, around, wanted) for vm in vms]


@operation("domains.list")
def _list(host: Host, arguments: dict[str, Any]) -> Any:
    return domain_records(host, all_vms(host), arguments.get("include") or ())


@operation("domains.get")
def _get(host: Host, arguments: dict[str, Any]) -> Any:
    return domain_record(host, the_vm(host, arguments["id"]), arguments.get("include") or ())


@operation("domains.find")
def _find(host: Host, arguments: dict[str, Any]) -> Any:
    vms = all_vms(host)
    uuids = set(arguments.get("uuids") or ())
    found = [str(vm["Id"]) for vm in vms if str(vm["Id"]) in uuids]
    if not found and uuids and vms:
        guids = _bios_guids(host, vms)
        found = [str(vm["Id"]) for vm in vms if guids.get(str(vm["Id"])) in uuids]
    return found or [str(vm["Id"]) for vm in vms if vm["Name"] == arguments["name"]]


# ---- what belongs to VMs ---------------------------------------------------------------------------------


class _Around:
    """All that belongs to VMs, by their ids."""

    def __init__(self, host: Host, vms: Sequence[Any], include: frozenset[str]) -> None:
        self.disks: dict[str, list[Any]] = {}
        self.dvds: dict[str, list[Any]] = {}
        self.adapters: dict[str, list[Any]] = {}
        self.firmware: dict[str, list[Any]] = {}
        self.bios: dict[str, list[Any]] = {}
        self.guids: dict[str, str | None] = {}
        self.items: dict[str, list[str]] = {}
        self.sizes: dict[str, Any] = {}
        vms = list(vms)
        if not vms:
            return
        if include & {"config", "guest"}:
            self.adapters = _by_vm(host.run("Get-VMNetworkAdapter", VM=vms))
        if "config" in include:
            disks = host.run("Get-VMHardDiskDrive", VM=vms)
            self.disks, self.dvds = _by_vm(disks), _by_vm(host.run("Get-VMDvdDrive", VM=vms))
            new = [vm for vm in vms if vm["Generation"] == 2]
            old = [vm for vm in vms if vm["Generation"] != 2]
            self.firmware = _by_vm(host.run("Get-VMFirmware", VM=new)) if new else {}
            self.bios = _by_vm(host.run("Get-VMBios", VM=old)) if old else {}
            self.guids = _bios_guids(host, vms)
            self.sizes = _sizes(host, disks)
        if "guest" in include:
            self.items = _guest_items(host, vms)


def _by_vm(objects: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in objects:
        found.setdefault(str(one["VMId"]), []).append(one)
    return found


def _instances(host: Host, name: str, filter_: str | None) -> list[Any]:
    parameters = {"Namespace": _NAMESPACE, "ClassName": name} | ({"Filter": filter_} if filter_ else {})
    try:
        return host.run("Get-CimInstance", **parameters)
    except CmdletError:
        return []


def _one(name: str, vms: Sequence[Any]) -> str | None:
    return f"{name}='{str(vms[0]['Id']).upper()}'" if len(vms) == 1 else None


def _bios_guids(host: Host, vms: Sequence[Any]) -> dict[str, str | None]:
    one = _one("VirtualSystemIdentifier", vms)
    found = _instances(host, "Msvm_VirtualSystemSettingData", f"{_REALIZED} AND {one}" if one else _REALIZED)
    return {_guid(each["VirtualSystemIdentifier"]) or "": _guid(each["BIOSGUID"]) for each in found}


def _guest_items(host: Host, vms: Sequence[Any]) -> dict[str, list[str]]:
    found = _instances(host, "Msvm_KvpExchangeComponent", _one("SystemName", vms))
    return {_guid(each["SystemName"]) or "": list(each["GuestIntrinsicExchangeItems"] or ()) for each in found}


def _guid(value: Any) -> str | None:
    return None if value is None else str(value).strip("{}").lower()


def _sizes(host: Host, drives: Iterable[Any]) -> dict[str, Any]:
    paths = list(dict.fromkeys(one["Path"] for one in drives if one["Path"] and _maybe(one, "DiskNumber") is None))
    if not paths:
        return {}
    try:
        found = host.run("Get-VHD", Path=paths)
    except CmdletError as error:
        found = error.written
    return {one["Path"].lower(): one for one in found}


# ---- records ---------------------------------------------------------------------------------------------


def _record(vm: Any, around: _Around, include: frozenset[str]) -> dict[str, Any]:
    return {
        "id": str(vm["Id"]),
        "name": vm["Name"],
        "state": vm["State"],
        "status": list(_maybe(vm, "OperationalStatus") or ()),
        "node": vm["ComputerName"].lower(),
        "generation": vm["Generation"],
        "vcpus": vm["ProcessorCount"],
        "memory": vm["MemoryStartup"],
        "config": _config(vm, around) if "config" in include else None,
        "guest": _guest(vm, around) if "guest" in include else None,
    }


def _config(vm: Any, around: _Around) -> dict[str, Any]:
    key = str(vm["Id"])
    (firmware,) = around.firmware.get(key) or (None,)
    (bios,) = around.bios.get(key) or (None,)
    uptime = _maybe(vm, "Uptime")
    drives = [_drive(one, "disk", around.sizes) for one in around.disks.get(key, ())]
    return {
        "version": _maybe(vm, "Version"),
        "path": _maybe(vm, "Path"),
        "notes": _maybe(vm, "Notes") or "",
        "dynamic_memory": bool(_maybe(vm, "DynamicMemoryEnabled")),
        "memory_minimum": _maybe(vm, "MemoryMinimum"),
        "memory_maximum": _maybe(vm, "MemoryMaximum"),
        "start_action": _maybe(vm, "AutomaticStartAction"),
        "start_delay": _maybe(vm, "AutomaticStartDelay"),
        "stop_action": _maybe(vm, "AutomaticStopAction"),
        "checkpoint_type": _maybe(vm, "CheckpointType"),
        "automatic_checkpoints": _maybe(vm, "AutomaticCheckpointsEnabled"),
        "clustered": bool(_maybe(vm, "IsClustered")),
        "parent_checkpoint": _guid(_maybe(vm, "ParentSnapshotId")),
        "replication": _maybe(vm, "ReplicationMode"),
        "created": time_text(_maybe(vm, "CreationTime")),
        "started": time_text(datetime.now(UTC) - uptime) if uptime and uptime > timedelta(0) else None,
        "bios_guid": around.guids.get(key),
        "secure_boot": firmware["SecureBoot"] if firmware else None,
        "secure_boot_template": _maybe(firmware, "SecureBootTemplate") if firmware else None,
        "boot": list(bios["StartupOrder"]) if bios else _boot_order(firmware),
        "drives": drives + [_drive(one, "dvd", around.sizes) for one in around.dvds.get(key, ())],
        "adapters": [adapter_record(one) for one in around.adapters.get(key, ())],
    }


def _maybe(record: Any, name: str) -> Any:
    """Return a property that older modules lack."""
    return record[name] if name in record.properties else None


def _boot_order(firmware: Any) -> list[str]:
    found = []
    for source in (firmware["BootOrder"] or ()) if firmware else ():
        device, kind = source["Device"], source["BootType"]
        if device is not None and kind in ("Drive", "Network"):
            found.append(drive_id(device) if kind == "Drive" else adapter_id(device))
    return found


def _drive(drive: Any, kind: str, sizes: dict[str, Any]) -> dict[str, Any]:
    disk = sizes.get((drive["Path"] or "").lower()) if kind == "disk" else None
    return {
        "id": drive_id(drive),
        "kind": kind,
        "controller_type": drive["ControllerType"],
        "controller_number": drive["ControllerNumber"],
        "location": drive["ControllerLocation"],
        "path": drive["Path"] or None,
        "disk_number": _maybe(drive, "DiskNumber") if kind == "disk" else None,
        "shared": bool(_maybe(drive, "SupportPersistentReservations")) if kind == "disk" else False,
        "size": disk["Size"] if disk else None,
        "file_size": disk["FileSize"] if disk else None,
        "format": disk["VhdFormat"] if disk else None,
        "type": disk["VhdType"] if disk else None,
        "parent": (disk["ParentPath"] or None) if disk else None,
    }


def adapter_record(adapter: Any) -> dict[str, Any]:
    """Return the record of a network adapter."""
    vlan = _maybe(adapter, "VlanSetting")
    return {
        "id": adapter_id(adapter),
        "name": adapter["Name"],
        "mac": adapter["MacAddress"],
        "dynamic_mac": bool(adapter["DynamicMacAddressEnabled"]),
        "legacy": bool(adapter["IsLegacy"]),
        "connected": bool(adapter["Connected"]),
        "switch": adapter["SwitchName"] or None,
        "switch_id": _guid(adapter["SwitchId"]),
        "vlan_mode": vlan["OperationMode"] if vlan else None,
        "vlan": vlan["AccessVlanId"] if vlan else None,
    }


def _guest(vm: Any, around: _Around) -> dict[str, Any]:
    key = str(vm["Id"])
    adapters = around.adapters.get(key, ())
    return {
        "heartbeat": _maybe(vm, "Heartbeat"),
        "items": list(around.items.get(key, ())),
        "adapters": [{"mac": one["MacAddress"], "addresses": list(one["IPAddresses"] or ())} for one in adapters],
    }
