"""By which way the files of disks are read: the option `disk_io`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from hvsdk.driver import Deadline, Target, errors

from hvsdk_hyperv._host_files import HostFiles
from hvsdk_hyperv._records import moment
from hvsdk_hyperv._session import HyperVSession
from hvsdk_hyperv._winrm_files import WinRmFiles

if TYPE_CHECKING:
    from hvsdk_hyperv._smb_files import SmbFiles

__all__ = ["FileWays"]

_SAME_TIME: Final = timedelta(seconds=2)
"""File systems keep times more or less exactly."""


class FileWays(HyperVSession):
    """Brings `host_files`, and gives up what was opened by it with the connection."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._by_smb: WeakSet[SmbFiles] = WeakSet()

    @property
    def _reads_by_smb(self) -> bool:
        return self.target.options.get("disk_io") == "smb"

    def open(self, *, deadline: Deadline) -> None:
        if self._reads_by_smb:
            _have_library()
        super().open(deadline=deadline)

    def host_files(self) -> HostFiles:
        """Return a way to the files of one disk. It is given up when the files are closed."""
        if not self._reads_by_smb:
            return WinRmFiles(self)
        from hvsdk_hyperv._smb_files import SmbFiles  # with the library, which is an extra

        files = SmbFiles(self.target, self._confirm)
        self._by_smb.add(files)
        return files

    def _confirm(self, path: str, size: int, written: datetime) -> None:
        """Ask through WinRM for a file that was found by SMB: a proxy or a tunnel may lead to another machine than SMB.

        Raises:
            ConnectError: It is another file.
        """
        seen = self.repeatable("disk_io.stat", {"path": path}, deadline=self.soon())
        at = moment(seen["written"])
        if seen["size"] == size and at is not None and abs(at - written.astimezone(UTC)) <= _SAME_TIME:
            return
        raise errors.ConnectError(
            f"by SMB {path} is another file than through WinRM: another machine answers there, or it was just replaced",
            hint="name the host itself in the URL, no proxy and no end of a tunnel; or connect(…, disk_io='winrm')",
        )

    def close(self) -> None:
        self._cut_files()
        super().close()

    def abandon(self) -> None:
        self._cut_files()
        super().abandon()

    def _cut_files(self) -> None:
        for files in list(self._by_smb):
            files.cut()


def _have_library() -> None:
    try:
        import_module("smbprotocol")
    except ImportError as exc:
        raise errors.UnsupportedError(
            "disk_io='smb' needs a library that is not installed", hint="pip install 'hvsdk-hyperv[smb]'"
        ) from exc
