"""Files and folders: the few cmdlets that scripts need of them."""

from __future__ import annotations

import fnmatch
import ntpath
import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from hvsdk_simulators.hyperv.actions import ActionError, action
from hvsdk_simulators.hyperv.file_system import SHARING_VIOLATION, FileSystem, holders, is_absolute, normal, same
from hvsdk_simulators.hyperv.world import World

from .errors import CmdletError
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["file_record"]

_WILD = re.compile(r"[*?\[\]]")


def file_record(files: FileSystem, path: str) -> Record:
    """Return a file or a folder as `Get-Item` shows it."""
    file = files.find(path)
    name = ntpath.basename(normal(path)) or normal(path)
    if file is not None:
        state = file.stat()
        times = _times(state.st_mtime)
        stem, extension = ntpath.splitext(ntpath.basename(file.name))
        properties: dict[str, Any] = {
            "Name": ntpath.basename(file.name),
            "FullName": file.name,
            "DirectoryName": ntpath.dirname(file.name),
            "BaseName": stem,
            "Extension": extension,
            "Length": state.st_size,
            "Exists": True,
            "IsReadOnly": False,
            "PSIsContainer": False,
        }
        return Record("FileInfo", file.name.lower(), {**properties, **times}, file)
    spelt = files.spelling(path)
    properties = {
        "Name": ntpath.basename(spelt) or name,
        "FullName": spelt,
        "BaseName": ntpath.basename(spelt) or name,
        "Extension": "",
        "Exists": True,
        "PSIsContainer": True,
    }
    return Record("DirectoryInfo", spelt.lower(), {**properties, **_times(files.world.booted.timestamp())}, spelt)


def _times(seconds: float) -> dict[str, datetime]:
    at = datetime.fromtimestamp(seconds, UTC)
    names = ("CreationTime", "CreationTimeUtc", "LastAccessTime", "LastWriteTime", "LastWriteTimeUtc")
    return dict.fromkeys(names, at)


@cmdlet("Test-Path")
def test_path(world: World, p: Bound) -> Iterator[bool]:
    files = FileSystem(world)
    kind = p.get("PathType") or "Any"
    for path in _given(files, p, missing=True):
        is_file, is_folder = files.find(path) is not None, files.is_folder(path)
        yield {"Any": is_file or is_folder, "Leaf": is_file, "Container": is_folder}[kind]


@cmdlet("Get-Item")
def get_item(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    for path in _given(files, p):
        _must_be(files, path)
        yield file_record(files, path)


@cmdlet("Get-ChildItem")
def get_child_item(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    for path in _given(files, p):
        _must_be(files, path)
        if files.find(path) is not None:
            yield file_record(files, path)
            continue
        folders, names = files.below(path, recurse=p.flag("Recurse"))
        found = [] if p.flag("File") else folders
        found = [*found, *([] if p.flag("Directory") else names)]
        wanted = p.get("Filter")
        for one in found:
            if wanted is None or fnmatch.fnmatchcase(ntpath.basename(one).lower(), str(wanted).lower()):
                yield file_record(files, one)


@cmdlet("New-Item")
def new_item(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    for given in p.many("Path"):
        path = ntpath.join(str(given), str(p["Name"])) if p.get("Name") else str(given)
        if str(p.get("ItemType") or "File").lower() == "directory":
            if files.find(path) is not None or (files.is_folder(path) and not p.flag("Force")):
                raise CmdletError(
                    "DirectoryExist",
                    "ResourceExists",
                    f"An item with the specified name {path} already exists.",
                    path,
                    exception="IOException",
                )
            files.make_folder(path)
        else:
            if files.find(path) is not None and not p.flag("Force"):
                raise _io("NewItemIOError", f"The file '{path}' already exists.", path, 0x80070050)
            _must_have_folder(files, path, "NewItemIOError")
            (world.root / normal(path)).write_text(str(p.get("Value") or ""), encoding="utf-8")
        yield file_record(files, path)


@cmdlet("Remove-Item")
def remove_item(world: World, p: Bound) -> None:
    files = FileSystem(world)
    for path in list(_given(files, p)):
        _must_be(files, path)
        file = files.find(path)
        if file is not None:
            _refuse_held(world, file.name, "RemoveFileSystemItemIOError")
            files.make_folder(ntpath.dirname(file.name))
            file.unlink()
            continue
        folders, names = files.below(path, recurse=True)
        if (folders or names) and not p.flag("Recurse"):
            text = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
            raise CmdletError(
                "InvalidOperation", "InvalidOperation", text, path, exception="PSInvalidOperationException"
            )
        for one in names:
            _refuse_held(world, one, "RemoveFileSystemItemIOError")
            (world.root / one).unlink()
        files.forget_folder(path)


@cmdlet("Copy-Item")
def copy_item(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    for path in list(_given(files, p)):
        target = _target(files, path, str(p["Destination"]))
        source = files.find(path)
        if source is None:
            _must_be(files, path)
            raise CmdletError("NotImplemented", "NotImplemented", "Folders are not copied here.", path)
        _refuse_written(world, source.name, "CopyFileInfoItemIOError")
        _must_have_folder(files, target, "CopyFileInfoItemIOError")
        there = files.find(target)
        if there is not None:
            _refuse_held(world, there.name, "CopyFileInfoItemIOError")
        shutil.copyfile(source, there or world.root / normal(target))
        if p.flag("PassThru"):
            yield file_record(files, target)


@cmdlet("Resolve-StubFile")
def resolve_stub_file(world: World, p: Bound) -> Iterator[str]:
    """Where a file really is, for `Open` of what `Get-Item` returns. It is open for reading then: nobody may write it."""
    file = FileSystem(world).file(str(p["Path"]))
    _refuse_written(world, file.name, "IOException")
    yield str(file)


@cmdlet("Move-Item")
def move_item(world: World, p: Bound) -> Iterator[Record]:
    files = FileSystem(world)
    for path in list(_given(files, p)):
        target = _target(files, path, str(p["Destination"]))
        source = files.find(path)
        if source is None:
            _must_be(files, path)
            raise CmdletError("NotImplemented", "NotImplemented", "Folders are not moved here.", path)
        _refuse_held(world, source.name, "MoveFileInfoItemIOError")
        _must_have_folder(files, target, "MoveFileInfoItemIOError")
        there = files.find(target)
        if there is not None and there != source and not p.flag("Force"):
            text = "Cannot create a file when that file already exists."
            raise _io("MoveFileInfoItemIOError", text, path, 0x800700B7)
        if there is not None:
            _refuse_held(world, there.name, "MoveFileInfoItemIOError")
        files.make_folder(ntpath.dirname(source.name))
        source.replace(there or world.root / normal(target))
        if p.flag("PassThru"):
            yield file_record(files, target)


@action("file")
def _file(world: World, *, path: str, size: int = 0, gone: bool = False) -> dict[str, Any]:
    """Put a file of zeros there in place of what was, with its folder; or with `gone` take it away, whoever holds it."""
    files = FileSystem(world)
    path = normal(path)
    if not is_absolute(path):
        raise ActionError("'path' has to be a whole path, such as C:\\ISO\\setup.iso")
    found = files.find(path)
    if gone:
        if found is None:
            raise ActionError(f"there is no file {path}")
        found.unlink()
        return {"path": found.name}
    files.make_folder(ntpath.dirname(path))
    file = found or world.root / path
    with file.open("wb") as stream:
        stream.truncate(size)
    return {"path": file.name, "size": file.stat().st_size}


# ---- what all of them do ---------------------------------------------------------------------------------


def _given(files: FileSystem, p: Bound, *, missing: bool = False) -> Iterable[str]:
    """Yield the paths that are meant: as they are, or all that match where wildcards are taken."""
    for path in p.many("LiteralPath"):
        yield str(path)
    for path in p.many("Path"):
        text = str(path)
        if not _WILD.search(text):
            yield text
            continue
        pattern = normal(text).lower()
        folders = files.below(ntpath.splitdrive(pattern)[0] + "\\", recurse=True)[0]
        found = [one for one in [*folders, *files.names()] if fnmatch.fnmatchcase(one.lower(), pattern)]
        found = [one for one in found if one.count("\\") == pattern.count("\\")]
        yield from found or (["\0"] if missing else [])


def _target(files: FileSystem, path: str, destination: str) -> str:
    return ntpath.join(destination, ntpath.basename(normal(path))) if files.is_folder(destination) else destination


def _must_be(files: FileSystem, path: str) -> None:
    if files.find(path) is None and not files.is_folder(path):
        text = f"Cannot find path '{path}' because it does not exist."
        raise CmdletError("PathNotFound", "ObjectNotFound", text, path, exception="ItemNotFoundException")


def _must_have_folder(files: FileSystem, path: str, error_id: str) -> None:
    if not files.is_folder(ntpath.dirname(normal(path))):
        raise _io(
            error_id, f"Could not find a part of the path '{path}'.", path, 0x80070003, "DirectoryNotFoundException"
        )


def _refuse_held(world: World, path: str, error_id: str) -> None:
    if holders(world, path) or path.lower() in world.facts.get("mounted", {}):
        text = f"The process cannot access the file '{path}' because it is being used by another process."
        raise _io(error_id, text, path, SHARING_VIOLATION)


def _refuse_written(world: World, path: str, error_id: str) -> None:
    """Refuse what somebody writes; what a disk of a machine that runs lies on is only read, and others may read it too."""
    for vm in holders(world, path):
        if any(same(one.path, path) and one.kind == "disk" for one in vm.hardware.drives):
            _refuse_held(world, path, error_id)


def _io(error_id: str, text: str, path: str, hresult: int, exception: str = "IOException") -> CmdletError:
    return CmdletError(error_id, "WriteError", text, path, exception=exception, hresult=hresult)
