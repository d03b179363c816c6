"""Work on disks that goes on inside QEMU: committing one file of a chain into the one below."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import libvirt
from hvsdk.driver import errors

from hvsdk_kvm._xml import parse_xml

__all__ = ["active_chain", "commit", "find_disk", "running_for_a_while"]


@contextmanager
def running_for_a_while(domain: libvirt.virDomain, *, embedded: bool) -> Iterator[None]:
    """Have QEMU hold the domain's disks, vCPUs stopped, where it is off: block jobs need it.

    Should this process end meanwhile, a daemon ends QEMU; an embedded driver cannot, and it stays paused. The files are
    whole at every moment of a merge.
    """
    if domain.isActive():
        yield
        return
    ends_with_us = 0 if embedded else libvirt.VIR_DOMAIN_START_AUTODESTROY
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED | ends_with_us)
    try:
        yield
    finally:
        with suppress(libvirt.libvirtError):  # it ended by itself
            domain.destroy()


def commit(domain: libvirt.virDomain, target: str, *, base: str, top: str | None) -> None:
    """Write what a disk's upper files hold into `base`, which replaces them in the chain.

    Args:
        target: The disk, as in `vda`.
        top: The uppermost file to write down; `None` for the one in use, whose place `base` then takes.
    """
    flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE if top is None else 0
    domain.blockCommit(target, base, cast("str", top), 0, flags)  # None is the file in use
    try:
        _wait(domain, target, mirrored=top is None)
    except BaseException:
        with suppress(libvirt.libvirtError):  # the job ended meanwhile
            domain.blockJobAbort(target, 0)
        raise
    if top is None:
        domain.blockJobAbort(target, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    below = active_chain(domain, target)
    if base not in below or (top or "") in below:
        raise errors.OperationFailedError(f"the files of disk {target} could not be merged; QEMU's log tells why")


def active_chain(domain: libvirt.virDomain, target: str) -> list[str]:
    """Return the files of a disk that QEMU has open, the one in use first."""
    element: ET.Element | None = find_disk(parse_xml(domain.XMLDesc(0)), target)
    found = []
    while element is not None:
        source = element.find("source")
        if source is not None:
            found.append(source.get("file", ""))
        element = element.find("backingStore")
    return found


def find_disk(xml: ET.Element, target: str) -> ET.Element:
    """Return a disk's element in a domain's XML.

    Raises:
        DiskNotFoundError: There is none of that target.
    """
    for disk in xml.iterfind("devices/disk"):
        element = disk.find("target")
        if element is not None and element.get("dev") == target:
            return disk
    raise errors.DiskNotFoundError(f"the domain has no disk {target!r}")


def _wait(domain: libvirt.virDomain, target: str, *, mirrored: bool) -> None:
    pause = 0.02
    while True:
        job = cast("dict[str, int]", domain.blockJobInfo(target, 0))
        if not job:
            return
        if mirrored and job["cur"] == job["end"] and _ready(domain, target):
            return
        time.sleep(pause)
        pause = min(0.5, pause * 1.5)


def _ready(domain: libvirt.virDomain, target: str) -> bool:
    return find_disk(parse_xml(domain.XMLDesc(0)), target).find("mirror[@ready='yes']") is not None
