"""The volumes that the host's files lie on, and how much room there is."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator

from hvsdk_simulators.hyperv.file_system import FileSystem, normal
from hvsdk_simulators.hyperv.world import World

from .errors import CmdletError
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["free_bytes", "volume_record"]

GIB = 1 << 30
_SIZES = {"C": ("System", 512 * GIB), "D": ("Data", 2048 * GIB)}


def free_bytes(world: World, letter: str) -> int:
    """Return how much room there is on a volume: what files take that are thin counts as they are."""
    start = f"{letter}:\\".lower()
    used = sum(
        (world.root / name).stat().st_blocks * 512
        for name in FileSystem(world).names()
        if name.lower().startswith(start)
    )
    size = int(world.facts.get("volumes", {}).get(letter, _SIZES[letter][1]))
    return max(0, size - 32 * GIB - used)


def volume_record(world: World, letter: str) -> Record:
    """Return a volume as `Get-Volume` shows it."""
    label, size = _SIZES[letter]
    return Record(
        "MSFT_Volume",
        letter,
        {
            "DriveLetter": letter,
            "FileSystemLabel": label,
            "FileSystem": "NTFS",
            "FileSystemType": "NTFS",
            "DriveType": "Fixed",
            "HealthStatus": "Healthy",
            "OperationalStatus": "OK",
            "Size": int(world.facts.get("volumes", {}).get(letter, size)),
            "SizeRemaining": free_bytes(world, letter),
            "Path": f"\\\\?\\Volume{{{label.lower()}}}\\",
        },
        letter,
    )


@cmdlet("Get-Volume")
def get_volume(world: World, p: Bound) -> Iterator[Record]:
    wanted = [str(one).upper() for one in p.many("DriveLetter")]
    for path in p.many("FilePath"):
        letter = ntpath.splitdrive(normal(str(path)))[0].rstrip(":").upper()
        if letter not in _SIZES or not (FileSystem(world).is_folder(str(path)) or FileSystem(world).find(str(path))):
            raise _no_volume(f"FilePath {path}")
        wanted.append(letter)
    for letter in wanted:
        if letter not in _SIZES:
            raise _no_volume(f"DriveLetter {letter}")
    for letter in wanted or _SIZES:
        yield volume_record(world, letter)


def _no_volume(what: str) -> CmdletError:
    text = f"No MSFT_Volume objects found with property {what}. Verify the value of the property and retry."
    return CmdletError("CmdletizationQuery_NotFound", "ObjectNotFound", text, exception="CimJobException")
