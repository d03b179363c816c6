"""The backend for vCenter and ESXi: imports no pyvmomi before a connection is made."""

from __future__ import annotations

from collections.abc import Iterable

from hvsdk.driver import Backend, Option, hookimpl

__all__ = ["OPTIONS", "hvsdk_backends"]

OPTIONS = {
    "keep_alive": Option(
        help="seconds after which an idle session is kept from expiring; 0: never", type=float, default=600.0
    ),
    "page_size": Option(help="how many domains one answer of a listing may hold", type=int, default=1000),
}
"""Options of the backend."""


@hookimpl
def hvsdk_backends() -> Iterable[Backend]:
    """Bring the backend `vmware`."""
    return [
        Backend(
            name="vmware",
            schemes=("vmware", "vsphere", "esxi", "vmware+http"),
            driver="hvsdk_vmware._driver:VmwareDriver",
            summary="vCenter and ESXi through the vSphere API",
            options=OPTIONS,
            tls_schemes=("vmware", "vsphere", "esxi"),
            loopback_only=("vmware+http",),
            default_ports={"vmware": 443, "vsphere": 443, "esxi": 443, "vmware+http": 80},
        )
    ]
