"""The backend for KVM and everything else that libvirt drives: imports no libvirt before a connection is made."""

from __future__ import annotations

from collections.abc import Iterable

from hvsdk.driver import Backend, Option, hookimpl

__all__ = ["OPTIONS", "hvsdk_backends"]

_DRIVERS = ("qemu", "xen", "test")

OPTIONS = {
    "keyfile": Option(help="private key for ssh"),
    "known_hosts": Option(help="known_hosts file for ssh"),
    "no_verify": Option(help="do not check the host key of ssh", type=bool, default=False),
    "pkipath": Option(help="directory with cacert.pem, clientcert.pem and clientkey.pem for TLS"),
    "virt_type": Option(help="how new domains run: 'kvm', or 'qemu' for emulation", choices=("kvm", "qemu")),
    "images": Option(help="directory for the volumes of an embedded driver; <root>/images without it"),
    "migrate_uri": Option(help="where this host takes migrations, such as tcp://10.0.0.7; libvirt chooses without it"),
    "migrate_unsafe": Option(
        help="let domains migrate here though libvirt does not trust their disks' caching", type=bool, default=False
    ),
    "print_errors": Option(help="leave libvirt's own error lines on stderr", type=bool, default=False),
}
"""Options of the backend; other parameters of a URL are libvirt's."""


@hookimpl
def hvsdk_backends() -> Iterable[Backend]:
    """Bring the backend `kvm`."""
    return [
        Backend(
            name="kvm",
            schemes=(*_DRIVERS, "kvm"),
            driver="hvsdk_kvm._driver:KvmDriver",
            summary="KVM, QEMU and Xen through libvirt",
            transports=True,
            options=OPTIONS,
            pass_query=True,
            tls_schemes=(*_DRIVERS, *(f"{driver}+tls" for driver in _DRIVERS)),
            pins=False,
            tls_hint="libvirt knows no fingerprints: give a CA file, or pkipath= with cacert.pem in it",
            loopback_only=tuple(f"{driver}+tcp" for driver in _DRIVERS),
        )
    ]
