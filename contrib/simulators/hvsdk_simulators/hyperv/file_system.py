"""The files and folders of the simulated host: one flat directory, in which each file's name is its whole path on Windows.

Folders are where there is a file below them, and those that were made. Names are compared without regard to case, and kept
as they were given.
"""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.vms import Vm
    from hvsdk_simulators.hyperv.world import World

__all__ = [
    "SHARING_VIOLATION",
    "FileSystem",
    "files_of",
    "held_files",
    "holders",
    "is_absolute",
    "normal",
    "same",
]

SHARING_VIOLATION = 0x80070020
NOT_FOUND = 0x80070002
PATH_NOT_FOUND = 0x80070003
_LONGEST = 255
_ABSOLUTE = re.compile(r"^[A-Za-z]:\\|^\\\\[^\\]+\\[^\\]+")
_ALWAYS = ("C:\\", "D:\\", "C:\\Windows", "C:\\ClusterStorage\\Volume1")
_AT_REST = {"Off", "Saved", "OffCritical", "SavedCritical", "FastSaved"}
"""States in which a virtual machine holds none of its files open."""


def normal(path: str) -> str:
    """Return a path as Windows keeps it: backslashes, no `.` and `..`, none at its end."""
    return ntpath.normpath(str(path).replace("/", "\\")) if path else ""


def same(one: str | None, other: str | None) -> bool:
    """Whether two paths are of the same file."""
    return normal(one or "").lower() == normal(other or "").lower()


def is_absolute(path: str) -> bool:
    """Whether a path begins with a drive or a share."""
    return _ABSOLUTE.match(normal(path)) is not None


@attrs.frozen
class FileSystem:
    """What is in the flat directory of a host."""

    world: World

    @property
    def _folders(self) -> dict[str, str]:
        known: dict[str, str] = self.world.facts.setdefault("folders", {})
        for path in () if known else _ALWAYS:
            known[normal(path).lower()] = normal(path)
        for path in (self.world.disk_path, self.world.vm_path):
            known.setdefault(normal(path).lower(), normal(path))
        return known

    def names(self) -> list[str]:
        """Return the whole paths of all files."""
        with os.scandir(self.world.root) as entries:
            return sorted(one.name for one in entries if one.is_file())

    def find(self, path: str) -> Path | None:
        """Return a file; None when there is none."""
        wanted = normal(path)
        if not wanted or "\0" in wanted:
            return None
        try:
            if (self.world.root / wanted).is_file():
                return self.world.root / wanted
        except OSError:  # longer than a name can be
            return None
        lower = wanted.lower()
        return next((self.world.root / name for name in self.names() if name.lower() == lower), None)

    def file(self, path: str) -> Path:
        """Return a file.

        Raises:
            CmdletError: There is none.
        """
        found = self.find(path)
        if found is None:
            raise no_file(path)
        return found

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder."""
        wanted = normal(path).lower()
        below = wanted.rstrip("\\") + "\\"
        return (
            wanted in self._folders
            or any(one.startswith(below) for one in self._folders)
            or any(name.lower().startswith(below) for name in self.names())
        )

    def spelling(self, folder: str) -> str:
        """Return how a folder is spelt."""
        wanted = normal(folder)
        if wanted.lower() in self._folders:
            return self._folders[wanted.lower()]
        below = wanted.lower().rstrip("\\") + "\\"
        found = next((one for one in self.names() if one.lower().startswith(below)), wanted)
        return found[: len(wanted)]

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        self._folders.setdefault(normal(path).lower(), normal(path))

    def forget_folder(self, path: str) -> None:
        """Remove a folder and those below it; the one above stays."""
        wanted = normal(path).lower()
        self.make_folder(ntpath.dirname(normal(path)))
        for one in list(self._folders):
            if one == wanted or one.startswith(wanted.rstrip("\\") + "\\"):
                del self._folders[one]

    def new_file(self, path: str) -> Path:
        """Return where a new file is to be: its folder is there, and it is not.

        Raises:
            CmdletError: One of both is otherwise.
        """
        folder = ntpath.dirname(normal(path))
        if not self.is_folder(folder):
            raise CmdletError(
                "ObjectNotFound",
                "ObjectNotFound",
                f"The system failed to create '{path}': The system cannot find the path specified. (0x80070003).",
                hresult=PATH_NOT_FOUND,
            )
        if self.find(path) is not None or self.is_folder(path):
            raise CmdletError(
                "OperationFailed",
                "NotSpecified",
                f"The system failed to create '{path}': The file exists. (0x80070050).",
                hresult=0x80070050,
            )
        whole = ntpath.join(self.spelling(folder), ntpath.basename(normal(path)))
        if len(whole.encode("utf-8", "replace")) > _LONGEST:
            text = f"The system failed to create '{path}': The filename or extension is too long. (0x800700CE)."
            raise CmdletError("InvalidParameter", "InvalidArgument", text, hresult=0x800700CE)
        return self.world.root / whole

    def below(self, folder: str, *, recurse: bool = False) -> tuple[list[str], list[str]]:
        """Return the folders and the files in a folder, by their whole paths."""
        start = normal(folder).rstrip("\\") + "\\"
        folders: dict[str, str] = {}
        files = []
        for path, is_file in [
            *((one, True) for one in self.names()),
            *((one, False) for one in self._folders.values()),
        ]:
            if not path.lower().startswith(start.lower()) or path.lower() == start.lower():
                continue
            parts = path[len(start) :].split("\\")
            depth = len(parts) - (1 if is_file else 0)
            for count in range(1, (depth if recurse else min(depth, 1)) + 1):
                inner = start + "\\".join(parts[:count])
                folders.setdefault(inner.lower(), inner)
            if is_file and (recurse or len(parts) == 1):
                files.append(path)
        return sorted(folders.values()), files


def no_file(path: str) -> CmdletError:
    """Say that there is no such file."""
    return CmdletError(
        "ObjectNotFound",
        "ObjectNotFound",
        f"'{path}': The system cannot find the file specified. (0x80070002).",
        hresult=NOT_FOUND,
    )


def files_of(vm: Vm) -> Iterator[str]:
    """Yield the files in a virtual machine's drives, without what disks lie on."""
    for drive in vm.hardware.drives:
        if drive.path:
            yield drive.path


def holders(world: World, path: str, *, disks_only: bool = False, without: Vm | None = None) -> list[Vm]:
    """Return the virtual machines that hold a file open: those that run, and have it or lie on it."""
    found = []
    for vm in world.vms.values():
        if vm is without or vm.state in _AT_REST:
            continue
        drives = [one for one in vm.hardware.drives if one.path and (one.kind == "disk" or not disks_only)]
        if any(same(path, one) for drive in drives for one in _chain(world, drive.path or "")):
            found.append(vm)
    return found


def held_files(world: World) -> set[str]:
    """Return the names of all disks that virtual machines hold open, as `same` compares them."""
    return {
        normal(one).lower()
        for vm in world.vms.values()
        if vm.state not in _AT_REST
        for drive in vm.hardware.drives
        if drive.path and drive.kind == "disk"
        for one in _chain(world, drive.path)
    }


def _chain(world: World, path: str) -> Iterable[str]:
    """Yield a file and what it lies on, as far as that can be read."""
    from hvsdk_simulators.hyperv import disks

    seen: set[str] = set()
    current: str | None = path
    while current and normal(current).lower() not in seen:
        seen.add(normal(current).lower())
        yield current
        file = FileSystem(world).find(current)
        if file is None or not current.lower().endswith((".vhd", ".vhdx", ".avhd", ".avhdx")):
            return
        try:
            info: Any = disks.info(file)
        except (OSError, disks.DiskError):
            return
        current = info.parent_path
