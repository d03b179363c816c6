"""Where a file of the host is among its shares."""

from __future__ import annotations

import ntpath
import re
from typing import Final

from hvsdk.driver import errors

from hvsdk_hyperv._paths import is_possible

__all__ = ["OTHER_WAY", "share_of"]

OTHER_WAY: Final = "connect(…, disk_io='winrm') reads it through WinRM, slower"
_LOCAL: Final = re.compile(r"([A-Za-z]):\\(.+)", re.DOTALL)
_UNC: Final = re.compile(r"\\\\([^\\]+)\\([^\\]+)\\(.+)", re.DOTALL)
_DEVICES: Final = ("?", ".")


def share_of(path: str, hostname: str) -> tuple[str, str]:
    r"""Return the share and the name within it: `C:\VMs\a.vhdx` is `VMs\a.vhdx` of `C$`.

    A share that a path names itself is asked for on this host alone: the user named no other one to log in to.

    Raises:
        NotFoundError: There cannot be such a file, or it has no name that SMB knows.
        UnsupportedError: It is on another server.
    """
    plain = ntpath.normpath(path)
    if re.match(r"\\\\\?\\[A-Za-z]:\\", plain):
        plain = plain[4:]
    if local := _LOCAL.fullmatch(plain):
        share, name = f"{local[1].upper()}$", local[2]
    elif (unc := _UNC.fullmatch(plain)) and unc[1] not in _DEVICES:
        if not _is_same_host(unc[1], hostname):
            raise errors.UnsupportedError(
                f"{path} is on the server {unc[1]}, and the login is for {hostname} alone", hint=OTHER_WAY
            )
        share, name = unc[2], unc[3]
    else:
        raise errors.NotFoundError(f"no share of the host has the file {path}", hint=OTHER_WAY)
    if not is_possible("C:\\" + name) or re.search(r'[\x00-\x1f/<>:"|?*]', share):
        raise errors.NotFoundError(f"there is no file {path}")
    return share, name


def _is_same_host(server: str, hostname: str) -> bool:
    return server.rstrip(".").casefold() == hostname.rstrip(".").casefold()
