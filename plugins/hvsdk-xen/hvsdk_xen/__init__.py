"""The backend for XenServer, Citrix Hypervisor and XCP-ng pools: imports no XenAPI before a connection is made."""

from __future__ import annotations

from collections.abc import Iterable

from hvsdk.driver import Backend, Option, hookimpl

__all__ = ["OPTIONS", "hvsdk_backends"]

OPTIONS = {
    "address_map": Option(
        help="where members of the pool are reached from here: 198.18.0.1=gate:4431,… or a mapping", type=object
    ),
    "rpc": Option(
        help="how calls are written: json where the server knows it, xml else",
        default="auto",
        choices=("auto", "json", "xml"),
    ),
    "disk_io": Option(
        help="how disks are read: nbd where the pool serves it, else vhd, else raw",
        default="auto",
        choices=("auto", "nbd", "vhd", "raw"),
    ),
}
"""Options of the backend."""


@hookimpl
def hvsdk_backends() -> Iterable[Backend]:
    """Bring the backend `xen`."""
    return [
        Backend(
            name="xen",
            schemes=("xenapi", "xenapi+http"),
            driver="hvsdk_xen._driver:XenDriver",
            summary="XenServer, Citrix Hypervisor and XCP-ng pools through XAPI",
            options=OPTIONS,
            tls_schemes=("xenapi",),
            loopback_only=("xenapi+http",),
            default_ports={"xenapi": 443, "xenapi+http": 80},
        )
    ]
