"""Whether new domains run on KVM or are emulated."""

from __future__ import annotations

import os

from hvsdk.errors import InvalidSpecError

from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import parse_xml

__all__ = ["virt_type"]


def virt_type(session: Session) -> str:
    """Return the `type` of a new domain here: `kvm`, `qemu`, `xen` or `test`.

    The option `virt_type` decides, then `HVSDK_KVM_VIRT_TYPE`; else it is `kvm` where libvirt offers it.

    Raises:
        InvalidSpecError: The environment names neither `kvm` nor `qemu`.
    """
    if session.kind != "qemu":
        return session.kind
    wish = session.target.options.get("virt_type") or os.environ.get("HVSDK_KVM_VIRT_TYPE")
    if wish:
        if wish not in ("kvm", "qemu"):
            raise InvalidSpecError(f"HVSDK_KVM_VIRT_TYPE is {wish!r}", hint="it takes 'kvm' or 'qemu'")
        return str(wish)
    capabilities = parse_xml(session.connection.getCapabilities())
    host = capabilities.findtext("host/cpu/arch")
    kvm = f"guest/arch[@name='{host}']/domain[@type='kvm']" if host else "guest/arch/domain[@type='kvm']"
    return "kvm" if capabilities.find(kvm) is not None else "qemu"
