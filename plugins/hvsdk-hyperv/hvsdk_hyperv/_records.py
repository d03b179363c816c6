"""A virtual machine as the scripts answer it, as the fields of a `DomainInfo`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any, Literal

from hvsdk.driver import FIELD_GROUPS, Disk, DomainInfo, Nic, domain_info_maker, frozen, read_marks

from hvsdk_hyperv._guest import guest_fields, mac_of
from hvsdk_hyperv._notes import Notes, read_notes
from hvsdk_hyperv._states import power_state

__all__ = ["HYPERVISOR", "disk_record", "domain_info", "domain_infos", "moment", "nic_record"]

HYPERVISOR = "hyperv"
_SUMMARY = (*FIELD_GROUPS["summary"], "seen_at")
_CONFIG, _GUEST = FIELD_GROUPS["config"], FIELD_GROUPS["guest"]
_MAKERS: Mapping[tuple[bool, bool], Callable[..., DomainInfo]] = {
    (False, False): domain_info_maker(*_SUMMARY),
    (True, False): domain_info_maker(*_SUMMARY, *_CONFIG),
    (False, True): domain_info_maker(*_SUMMARY, *_GUEST),
    (True, True): domain_info_maker(*_SUMMARY, *_CONFIG, *_GUEST),
}
_HOT_MEMORY = 6
"""Configuration version from which memory can be added while a domain runs: Windows Server 2016."""
_FILE = re.compile(r"[A-Za-z]:\\|\\\\")
_USUAL_STATUS = frozenset(("Ok",))


def domain_info(record: Mapping[str, Any], seen_at: datetime | None = None) -> DomainInfo:
    """Return the record of one virtual machine, with the field groups that were asked for."""
    config, guest = record["config"], record["guest"]
    values = _summary(record, seen_at or datetime.now(UTC))
    if config is not None:
        fields = _config(record, config)
        values += [fields[name] for name in _CONFIG]
    if guest is not None:
        fields = guest_fields(record["state"], guest)
        values += [fields[name] for name in _GUEST]
    return _MAKERS[config is not None, guest is not None](*values)


def domain_infos(records: Iterable[Mapping[str, Any]]) -> list[DomainInfo]:
    """Return the records of many."""
    seen_at = datetime.now(UTC)
    return [domain_info(record, seen_at) for record in records]


def moment(text: str | None) -> datetime | None:
    """Return a time that a script told."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _summary(record: Mapping[str, Any], seen_at: datetime) -> list[Any]:
    return [
        record["id"],
        record["id"],
        record["name"],
        power_state(record["state"]),
        HYPERVISOR,
        intern(record["node"]) or None,
        False,
        False,
        record["vcpus"],
        record["memory"],
        seen_at,
    ]


def _config(record: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    notes = read_notes(config["notes"])
    metadata = frozen(dict(notes.metadata))
    uefi = record["generation"] == 2
    boot = _boot_places(config)
    drives = sorted(config["drives"], key=lambda drive: _place(drive))
    return {
        "folder": None,
        "max_vcpus": record["vcpus"],
        "cpu_topology": None,
        "max_memory_bytes": _max_memory(record, config),
        "disks": tuple(disk_record(drive, position, boot) for position, drive in enumerate(drives)),
        "nics": tuple(nic_record(one, position, notes) for position, one in enumerate(config["adapters"])),
        "firmware": "uefi" if uefi else "bios",
        "secure_boot": config["secure_boot"] == "On" if uefi else False,
        "virtualization": "hvm",
        "autostart": config["start_action"] != "Nothing",
        "tags": notes.tags,
        "notes": notes.text,
        "metadata": metadata,
        **read_marks(metadata),
        "created_at": moment(config["created"]),
        "started_at": moment(config["started"]),
        "details": frozen(_details(record, config, notes)),
    }


def _max_memory(record: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """Return what memory can grow to while the domain runs; None where only the host limits it."""
    if config["dynamic_memory"]:
        return int(config["memory_maximum"])
    major = (config["version"] or "0").partition(".")[0]
    hot = major.isdecimal() and int(major) >= _HOT_MEMORY
    return None if hot else int(record["memory"])


def _details(record: Mapping[str, Any], config: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    dynamic = config["dynamic_memory"]
    status = [one for one in record["status"] if one not in _USUAL_STATUS]
    found = {
        "hyperv.generation": record["generation"],
        "hyperv.version": config["version"],
        "hyperv.state": record["state"],
        "hyperv.status": status or None,
        "hyperv.bios_guid": config["bios_guid"],
        "hyperv.path": config["path"],
        "hyperv.checkpoint_type": config["checkpoint_type"],
        "hyperv.automatic_checkpoints": config["automatic_checkpoints"],
        "hyperv.parent_checkpoint": config["parent_checkpoint"],
        "hyperv.dynamic_memory": dynamic,
        "hyperv.memory_minimum_bytes": config["memory_minimum"] if dynamic else None,
        "hyperv.memory_maximum_bytes": config["memory_maximum"] if dynamic else None,
        "hyperv.secure_boot_template": config["secure_boot_template"],
        "hyperv.start_action": config["start_action"],
        "hyperv.start_delay_seconds": config["start_delay"],
        "hyperv.stop_action": config["stop_action"],
        "hyperv.clustered": config["clustered"],
        "hyperv.replication": config["replication"] if config["replication"] != "None" else None,
        "hyperv.notes_problem": notes.problem,
    }
    return {key: value for key, value in found.items() if value is not None}


# ---- devices ---------------------------------------------------------------------------------------------

_KINDS_OF_GENERATION_1 = {"CD": ("dvd", "IDE"), "IDE": ("disk", "IDE")}


def _place(drive: Mapping[str, Any]) -> tuple[str, int, int]:
    """Return where it is, in the order in which guests find drives: IDE before SCSI."""
    return drive["controller_type"], drive["controller_number"], drive["location"]


def _boot_places(config: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the places in the boot order, from 1, by the ids of drives and adapters."""
    drives = sorted(config["drives"], key=_place)
    order: list[str] = []
    for entry in config["boot"]:
        kind = _KINDS_OF_GENERATION_1.get(entry)
        if kind is not None:
            order += [one["id"] for one in drives if (one["kind"], one["controller_type"]) == kind]
        else:
            order.append(entry)
    return {entry: place for place, entry in enumerate(dict.fromkeys(order), start=1)}


def disk_record(drive: Mapping[str, Any], position: int, boot: Mapping[str, int]) -> Disk:
    """Return a drive as a `Disk`: called by its place, `scsi:0:1`, which stays while it is there."""
    disk = drive["kind"] == "disk"
    path = drive["path"]
    pool, volume = _place_of_file(path)
    details = {
        "hyperv.type": drive["type"],
        "hyperv.parent": drive["parent"],
        "hyperv.physical_disk": drive["disk_number"],
    }
    return Disk(
        id=intern(drive["id"]),
        device="disk" if disk else "cdrom",
        bus=intern(drive["controller_type"].lower()),
        position=position,
        capacity_bytes=drive["size"],
        allocated_bytes=drive["file_size"],
        source=path,
        pool=pool,
        volume=volume,
        format=_format(drive) if disk else "raw" if path else None,
        readonly=not disk,
        shareable=bool(drive["shared"]),
        boot_order=boot.get(drive["id"]),
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )


def _place_of_file(path: str | None) -> tuple[str | None, str | None]:
    """Return a file's folder and its path: the ids of pool and volume. A disk that is passed through has no file."""
    if path is None or not _FILE.match(path):
        return None, None
    folder = path.rpartition("\\")[0]
    return intern(folder + "\\" if folder.endswith(":") else folder), path


def _format(drive: Mapping[str, Any]) -> str | None:
    """Return the format: what the host read in the file, else what its name says."""
    if drive["disk_number"] is not None:
        return "raw"
    if drive["format"]:
        return intern(str(drive["format"]).lower())
    ending = (drive["path"] or "").rpartition(".")[2].lower()
    return {"vhdx": "vhdx", "avhdx": "vhdx", "vhd": "vhd", "avhd": "vhd"}.get(ending)


def nic_record(adapter: Mapping[str, Any], position: int, notes: Notes) -> Nic:
    """Return an adapter as a `Nic`. One whose cable hvsdk unplugged is still told to be on its network."""
    unplugged = None if adapter["connected"] else notes.links.get(adapter["id"])
    network = adapter["switch"] if unplugged is None else unplugged.get("name")
    switch = adapter["switch_id"] if unplugged is None else unplugged.get("switch")
    details = {
        "hyperv.name": adapter["name"],
        "hyperv.dynamic_mac": adapter["dynamic_mac"],
        "hyperv.switch_id": switch,
        "hyperv.vlan_mode": adapter["vlan_mode"] if adapter["vlan_mode"] != "Untagged" else None,
    }
    model: Literal["legacy", "synthetic"] = "legacy" if adapter["legacy"] else "synthetic"
    return Nic(
        id=adapter["id"],
        mac=mac_of(adapter["mac"]),
        network=network,
        model=model,
        position=position,
        link_up=adapter["connected"],
        vlan=adapter["vlan"] if adapter["vlan_mode"] == "Access" else None,
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )
