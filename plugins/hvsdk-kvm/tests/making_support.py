"""Helpers of the tests that make domains and volumes."""

from __future__ import annotations

import libvirt
from hvsdk import Domain, DomainSpec, Host
from hvsdk_testbed import bootsector

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._store import Store, store_of

ODD_NAMES = {
    "single quote": "it's",
    "double quote": 'a "b" c',
    "shell": "$(touch hvsdk-was-here); `id` && echo",
    "xml": "<name>&amp;]]><!--",
    "unicode": "żółć-漢字-🦀",
    "long": "x" * 80,
    "long unicode": "漢" * 80,
    "backslash": "a\\b",
    "percent": "50%41 %s {0}",
    "blanks": "two  words",
    "dash": "--help",
    "comma": "a,b;c:d=e",
}
MIB = 1 << 20
UUID = "6f1b2c3d-4e5f-4a6b-8c7d-00000000000a"


def spec(name: str = "web", **more: object) -> DomainSpec:
    """Return the specification of a small domain without a disk."""
    return DomainSpec(name=name, **{"memory": "16MiB", **more})  # type: ignore[arg-type]


def driver_store(driver: KvmDriver) -> Store:
    """Return the store of a driver."""
    return store_of(driver)


def volume_names(host: Host) -> set[str]:
    """Return the names of all volumes in the pools."""
    return {volume.name for pool in host.storage_pools() for volume in pool.volumes()}


def definition(domain: Domain) -> str:
    """Return what libvirt keeps as a domain's definition."""
    found: libvirt.virDomain = domain.host.native().lookupByUUIDString(domain.native_id)
    return str(found.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def boot_disk(path: object, label: str = "web", *, answers_power_button: bool = True) -> str:
    """Make a disk with a guest in its boot sector, and return its path."""
    bootsector.make_disk(str(path), label, answers_power_button=answers_power_button)
    return str(path)
