"""Virtual hard disks: real files, made and read by `hvsdk_simulators.hyperv.disks`."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.file_system import SHARING_VIOLATION, FileSystem, held_files, holders, normal, same
from hvsdk_simulators.hyperv.world import World

from .errors import CmdletError
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["vhd_record"]

_FORMATS = {".vhdx": "vhdx", ".avhdx": "vhdx", ".vhd": "vhd", ".avhd": "vhd"}
_LARGEST = {"vhdx": 64 << 40, "vhd": 2040 << 30}
_SMALLEST = 3 << 20
_TYPES = {"dynamic": "Dynamic", "fixed": "Fixed", "differencing": "Differencing"}
_COPY_SECONDS = 1.0


def vhd_record(world: World, file: Path, held: set[str] | None = None) -> Record:
    """Return a disk as `Get-VHD` shows it.

    Args:
        held: What `held_files` says, where that is known.

    Raises:
        CmdletError: The file is none.
    """
    info = _info(file)
    name = normal(file.name).lower()
    holding = name in held if held is not None else bool(holders(world, file.name, disks_only=True))
    mounted: dict[str, int] = world.facts.get("mounted", {})
    number = mounted.get(file.name.lower())
    properties: dict[str, Any] = {
        "ComputerName": world.node,
        "Path": file.name,
        "VhdFormat": info.format.upper(),
        "VhdType": _TYPES[info.type],
        "FileSize": info.file_size,
        "Size": info.size,
        "MinimumSize": None,
        "LogicalSectorSize": info.logical_sector_size,
        "PhysicalSectorSize": info.physical_sector_size,
        "BlockSize": info.block_size,
        "ParentPath": info.parent_path or "",
        "DiskIdentifier": str(info.id).upper(),
        "FragmentationPercentage": None if info.type == "fixed" else 0,
        "Alignment": 1,
        "Attached": holding or number is not None,
        "DiskNumber": number,
        "IsPMEMCompatible": False,
        "AddressAbstractionType": "None",
    }
    return Record("VirtualHardDisk", file.name.lower(), properties, file)


def _info(file: Path) -> disks.DiskInfo:
    try:
        return disks.info(file)
    except (disks.DiskError, OSError) as exc:
        text = f"'{file.name}': The file or directory is corrupted and unreadable. (0x80070570)."
        raise CmdletError("OperationFailed", "NotSpecified", text, hresult=0x80070570) from exc


@cmdlet("Get-VHD")
def get_vhd(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    if "VMId" in p:
        ids = [str(one).lower() for one in p.many("VMId")]
        paths = [
            drive.path
            for vm in world.vms.values()
            if str(vm.id) in ids
            for drive in vm.hardware.drives
            if drive.kind == "disk" and drive.path
        ]
    else:
        paths = [str(one) for one in p.many("Path")]
    held, failed = held_files(world) if len(paths) > 1 else None, None
    for path in paths:  # one that fails does not keep the others from being told
        try:
            yield vhd_record(world, files.file(path), held)
        except CmdletError as error:
            failed = failed or error
    if failed is not None:
        raise failed


@cmdlet("Test-VHD")
def test_vhd(world: World, p: Bound) -> Iterator[bool]:
    for path in p.many("Path"):
        file = FileSystem(world).file(str(path))
        try:
            with disks.open(file):
                yield True
        except (disks.DiskError, OSError) as exc:
            raise CmdletError("OperationFailed", "NotSpecified", f"'{path}' is corrupted. (0xC03A0014).") from exc


@cmdlet("New-VHD")
def new_vhd(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    for given in p.many("Path"):
        path = str(given)
        format_ = _format_of(path)
        parent = files.file(str(p["ParentPath"])) if p.get("ParentPath") else None
        size = _size(p, format_, parent)
        if parent is not None and _info(parent).format != format_:
            raise _invalid("A differencing disk is of the format of its parent.")
        target = files.new_file(path)
        kind: Any = "differencing" if parent is not None else "fixed" if p.flag("Fixed") else "dynamic"
        world.sleep(_COPY_SECONDS if kind == "fixed" else 0)
        more: dict[str, Any] = {"block_size": int(p["BlockSizeBytes"])} if p.get("BlockSizeBytes") else {}
        if parent is not None:
            more |= {"parent": parent, "parent_name": parent.name}
        if p.get("LogicalSectorSizeBytes"):
            more["sector_size"] = int(p["LogicalSectorSizeBytes"])
        disks.create(target, format_, kind, size, **more)  # type: ignore[arg-type]
        yield vhd_record(world, target)


def _size(p: Bound, format_: str, parent: Path | None) -> int:
    if p.get("SizeBytes") is None:
        return _info(parent).size if parent is not None else 0
    size = int(p["SizeBytes"])
    if size % 512 or not _SMALLEST <= size <= _LARGEST[format_]:
        raise _invalid("Failed to create the virtual hard disk. The size is not one that it can have.")
    return size


@cmdlet("Resize-VHD")
def resize_vhd(world: World, p: Bound) -> Iterator[Record]:
    for path in p.many("Path"):
        file = FileSystem(world).file(str(path))
        info = _info(file)
        size = int(p["SizeBytes"])
        if size % info.logical_sector_size or not _SMALLEST <= size <= _LARGEST[info.format]:
            raise _invalid("Failed to resize the virtual disk. The size is not one that it can have.")
        for vm in holders(world, file.name, disks_only=True):
            on_scsi = any(same(one.path, file.name) and one.controller_type == "SCSI" for one in vm.hardware.drives)
            if not on_scsi or info.format != "vhdx":
                raise _in_use(file.name)
        if info.type == "differencing" and info.format == "vhd":
            raise CmdletError(
                "OperationFailed", "NotSpecified", "Differencing disks of the format VHD have a fixed size."
            )
        if size < info.size:
            text = f"Failed to resize the virtual disk. '{file.name}' has partitions beyond that size. (0xC03A0031)."
            raise CmdletError("OperationFailed", "NotSpecified", text)
        with disks.open(file, writable=True) as image:
            image.resize(size)
        if p.flag("Passthru"):
            yield vhd_record(world, file)


@cmdlet("Convert-VHD")
def convert_vhd(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    source = files.file(str(p["Path"]))
    info = _info(source)
    _refuse_held(world, source.name)
    path = str(p["DestinationPath"])
    format_ = _format_of(path)
    kind: Any = str(p.get("VHDType") or ("Fixed" if info.type == "fixed" else "Dynamic")).lower()
    if kind == "differencing":
        raise _invalid("A differencing disk is made of a parent, not of another disk.")
    target = files.new_file(path)
    world.sleep(_COPY_SECONDS)
    try:
        disks.convert(source, target, format_, kind)  # type: ignore[arg-type]
    except disks.DiskError as exc:
        target.unlink(missing_ok=True)
        raise CmdletError("OperationFailed", "NotSpecified", f"'{source.name}': {exc} (0xC03A0013).") from exc
    if p.flag("DeleteSource"):
        source.unlink()
    if p.flag("Passthru"):
        yield vhd_record(world, target)


@cmdlet("Merge-VHD")
def merge_vhd(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    child = files.file(str(p["Path"]))
    info = _info(child)
    if info.type != "differencing" or not info.parent_path:
        raise _invalid("Only a differencing disk can be merged.")
    target = files.file(str(p.get("DestinationPath") or info.parent_path))
    _refuse_held(world, child.name)
    _refuse_held(world, target.name)
    world.sleep(_COPY_SECONDS)
    disks.merge(child, target)
    child.unlink(missing_ok=True)
    if p.flag("Passthru"):
        yield vhd_record(world, target)


@cmdlet("Set-VHD")
def set_vhd(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    file = files.file(str(p["Path"]))
    _refuse_held(world, file.name)
    if p.get("ParentPath"):
        parent = files.file(str(p["ParentPath"]))
        if _info(parent).content_id != _info(file).parent_id and not p.flag("IgnoreIdMismatch"):
            text = f"Failed to set the parent of '{file.name}': the identifiers differ. (0xC03A000E)."
            raise CmdletError("OperationFailed", "NotSpecified", text)
        disks.set_parent(file, parent, parent.name)
    if p.flag("Passthru"):
        yield vhd_record(world, file)


@cmdlet("Mount-VHD")
def mount_vhd(world: World, p: Bound) -> Iterator[Record]:
    mounted: dict[str, int] = world.facts.setdefault("mounted", {})
    for path in p.many("Path"):
        file = FileSystem(world).file(str(path))
        _info(file)
        _refuse_held(world, file.name)
        mounted[file.name.lower()] = 1 + max(mounted.values(), default=0)
        if p.flag("Passthru"):
            yield vhd_record(world, file)


@cmdlet("Dismount-VHD")
def dismount_vhd(world: World, p: Bound) -> Iterator[Record]:
    mounted: dict[str, int] = world.facts.setdefault("mounted", {})
    for path in p.many("Path"):
        file = FileSystem(world).file(str(path))
        if mounted.pop(file.name.lower(), None) is None:
            raise CmdletError("ObjectNotFound", "ObjectNotFound", f"'{path}' is not mounted.")
        if p.flag("Passthru"):
            yield vhd_record(world, file)


@cmdlet("Optimize-VHD")
def optimize_vhd(world: World, p: Bound) -> Iterator[Record]:
    for path in p.many("Path"):
        file = FileSystem(world).file(str(path))
        _refuse_held(world, file.name)
        if p.flag("Passthru"):
            yield vhd_record(world, file)


def _format_of(path: str) -> str:
    format_ = _FORMATS.get(ntpath.splitext(normal(path))[1].lower())
    if format_ is None:
        raise _invalid(f"The path '{path}' has not the extension of a virtual hard disk.")
    return format_


def _refuse_held(world: World, path: str) -> None:
    if holders(world, path, disks_only=True) or path.lower() in world.facts.get("mounted", {}):
        raise _in_use(path)


def _in_use(path: str) -> CmdletError:
    text = f"'{path}': The operation cannot be performed while the object is in use. (0x80070020)."
    return CmdletError("ObjectInUse", "ResourceBusy", text, hresult=SHARING_VIOLATION)


def _invalid(text: str) -> CmdletError:
    return CmdletError("InvalidParameter", "InvalidArgument", text)
