"""The backend for Hyper-V over WinRM: imports no pywinrm before a connection is made."""

from __future__ import annotations

from collections.abc import Iterable

from hvsdk.driver import Backend, Option, hookimpl

__all__ = ["OPTIONS", "hvsdk_backends"]

OPTIONS = {
    "transport": Option(
        help="how to log in; basic is for TLS only",
        default="auto",
        choices=("auto", "ntlm", "kerberos", "credssp", "certificate", "basic"),
    ),
    "disk_io": Option(
        help="how disks are read: winrm, which works everywhere, or smb, which is faster and wants an administrator",
        default="winrm",
        choices=("winrm", "smb"),
    ),
    "smb_port": Option(help="port of SMB, for disk_io='smb'", type=int, default=445),
}
"""Options of the backend."""


@hookimpl
def hvsdk_backends() -> Iterable[Backend]:
    """Bring the backend `hyperv`."""
    return [
        Backend(
            name="hyperv",
            schemes=("hyperv", "hyperv+http"),
            driver="hvsdk_hyperv._driver:HyperVDriver",
            summary="Hyper-V through WinRM and PowerShell",
            options=OPTIONS,
            tls_schemes=("hyperv",),
            default_ports={"hyperv": 5986, "hyperv+http": 5985},
        )
    ]
