"""Paths of the host's files. They are Windows' whatever machine this runs on, hence `ntpath`."""

from __future__ import annotations

import ntpath
import re
from typing import Final

from hvsdk.driver import errors

__all__ = [
    "check_file_name",
    "file_name",
    "file_place",
    "is_absolute",
    "is_possible",
    "normal",
    "pool_path",
    "same_path",
]

_ABSOLUTE: Final = re.compile(r"[A-Za-z]:\\|\\\\[^\\]+\\[^\\]+")
_REFUSED: Final = re.compile(r'[\x00-\x1f<>:"/\\|?*\ud800-\udfff]')
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE
)
_LONGEST_NAME: Final = 200
_ENDING: Final = re.compile(r"\.(a?vhdx?|vhds|iso)$", re.IGNORECASE)
"""Units of UTF-16 of a file's name: Windows takes 255, with all that checkpoints add to it."""


def normal(path: str) -> str:
    """Return a path with backslashes and without detours."""
    return ntpath.normpath(path.replace("/", "\\")) if path else path


def is_absolute(path: str) -> bool:
    """Whether a path begins with a drive or a share."""
    return _ABSOLUTE.match(normal(path)) is not None


def same_path(one: str, other: str) -> bool:
    """Whether two paths are of the same file."""
    return normal(one).lower() == normal(other).lower()


def is_possible(path: str) -> bool:
    """Whether there could be such a file: Windows cannot even look for others."""
    drive, rest = ntpath.splitdrive(path)
    return not any(_REFUSED.search(part) for part in rest.split("\\")) and not re.search('[\x00-\x1f<>"|?*]', drive)


def pool_path(pool: str) -> str:
    """Return the folder that a storage pool is.

    Raises:
        StoragePoolNotFoundError: It cannot be one.
    """
    folder = normal(pool)
    if not is_absolute(folder) or not is_possible(folder):
        raise errors.StoragePoolNotFoundError(
            f"there is no storage pool {pool!r} on this host",
            hint="storage pools are folders, called by their whole path: host.storage_pools() lists those in use",
        )
    return folder


def file_place(source: str, pool: str | None) -> tuple[str | None, str]:
    """Return the folder and the name of a file that is called by its path, or by its name in a pool.

    Without a pool, a name is looked for where the host makes disks, which None stands for.

    Raises:
        VolumeNotFoundError: There cannot be such a file.
        StoragePoolNotFoundError: There cannot be such a pool.
    """
    path = normal(source)
    if is_absolute(path) and is_possible(path) and ntpath.basename(path):
        return ntpath.dirname(path), ntpath.basename(path)
    if _REFUSED.search(source) or not source.strip(" ."):
        raise errors.VolumeNotFoundError(
            f"there is no volume {source!r}", hint="call it by its whole path on the host, or by its name in a pool"
        )
    return (None if pool is None else pool_path(pool)), source


def file_name(name: str, ending: str) -> str:
    """Return the name of a new file.

    Raises:
        InvalidSpecError: Windows has no such files.
    """
    check_file_name(name)
    if _ENDING.search(name):
        raise errors.InvalidSpecError(
            f"the name {name!r} has a file's ending, and a volume's name has none",
            hint="format= says what kind of disk it is",
        )
    return f"{name}.{ending}"


def check_file_name(name: str) -> None:
    """Refuse what no file on Windows can be called.

    Raises:
        InvalidSpecError: It is such a name.
    """
    long = len(name.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST_NAME
    if _REFUSED.search(name) or name.strip(" .") != name or not name or _RESERVED.fullmatch(name) or long:
        raise errors.InvalidSpecError(
            f"no file on Windows is called {name!r}",
            hint=f'names have up to {_LONGEST_NAME} characters, none of \\ / : * ? " < > |, no blank or dot at their ends,'
            " and are not those of devices such as CON",
        )
