"""Helpers of tests that look into disks: what a guest wrote, and what lies on what."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import hvsdk
from hvsdk_simulators import Running

__all__ = ["chain_of", "path_of", "peek", "poke", "spare_domain"]

SECTOR = 512


def spare_domain(host: hvsdk.Host, name: str = "spare", *, disks: int = 1) -> Iterator[hvsdk.Domain]:
    """Yield a domain of a test's own, and remove it with its disks."""
    spec = hvsdk.DomainSpec(
        name=name, vcpus=1, memory="512MiB", disks=[hvsdk.DiskSpec(size="64MiB") for _ in range(disks)]
    )
    domain = host.create_domain(spec)
    try:
        yield domain
    finally:
        domain.refresh()
        if domain.power_state is not hvsdk.PowerState.SHUTOFF:
            domain.power_off(discard_memory=True)
        domain.delete(disks="delete")


def path_of(domain: hvsdk.Domain, number: int = 0) -> str:
    """Return the path of the file that a disk is in now."""
    disks = [disk for disk in domain.refresh().info.disks if disk.device == "disk"]
    source = disks[number].source
    assert source is not None
    return source


def poke(server: Running, path: str, text: bytes, offset: int = 0) -> None:
    """Write into a disk, as its guest would."""
    server.act("disk", path=path, offset=offset, write=base64.b64encode(text.ljust(SECTOR, b"\0")).decode())


def peek(server: Running, path: str, offset: int = 0) -> bytes:
    """Return what is written there."""
    data: str = server.act("disk", path=path, offset=offset, length=SECTOR)["data"]
    return base64.b64decode(data).rstrip(b"\0")


def chain_of(server: Running, path: str) -> list[str]:
    """Return a disk's file and all that it lies on."""
    found = [path]
    while parent := server.act("disk", path=found[-1])["parent"]:
        found.append(parent)
    return found
