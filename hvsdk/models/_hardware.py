"""The parts of a domain: disks, network adapters, addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import attrs

from hvsdk.models._base import Record
from hvsdk.models._mapping import EMPTY, FrozenDict, frozen

__all__ = ["Address", "CpuTopology", "Disk", "FenceMark", "Lineage", "Nic"]


@attrs.frozen(kw_only=True, repr=False)
class Address(Record):
    """One IP address of a guest and how it is known. Those that lead to no guest, such as loopback, are left out."""

    ip: str
    """In its usual spelling (RFC 5952), without a zone."""
    source: Literal["agent", "lease", "arp"] = attrs.field()
    """`agent`: the guest's agent or tools said so; `lease`: a DHCP server did; `arp`: it was seen on the wire."""
    mac: str | None = None
    interface: str | None = None
    """The guest's own name of the interface, such as `eth0`, where the source tells."""
    prefix_length: int | None = None


@attrs.frozen(kw_only=True, repr=False)
class CpuTopology(Record):
    """How the guest sees its vCPUs laid out."""

    sockets: int
    cores: int
    threads: int = 1


@attrs.frozen(kw_only=True, repr=False)
class Disk(Record):
    """A disk, CD-ROM or floppy drive of a domain.

    Attributes:
        id: What the verbs take: unique within the domain and stable while the device is there (libvirt `vda`).
        device: `disk`, `cdrom` or `floppy`.
        bus: `virtio sata scsi ide nvme usb xen`, or the product's own word.
        position: Its place among the disks as the guest finds them, from 0.
        capacity_bytes: What the guest sees; `None` where the product does not tell it with the domain.
        allocated_bytes: What it takes in its storage pool, where the product tells.
        source: Path or location of the volume; `None` for an empty drive.
        pool: Native id of the storage pool, where the product tells.
        volume: Native id of the volume, where the product tells.
        format: `qcow2 raw vhd vhdx vmdk …`
        readonly: Whether the guest can only read it.
        shareable: Whether several domains may have it at the same time.
        boot_order: Its place in the boot order, from 1; `None` when it is not booted from.
        serial: Serial number that the guest reads.
        details: What one product alone has: JSON values under documented keys.
    """

    id: str
    device: Literal["disk", "cdrom", "floppy"] = "disk"
    bus: str | None = None
    position: int | None = None
    capacity_bytes: int | None = None
    allocated_bytes: int | None = None
    source: str | None = None
    pool: str | None = None
    volume: str | None = None
    format: str | None = None
    readonly: bool = False
    shareable: bool = False
    boot_order: int | None = None
    serial: str | None = None
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class Nic(Record):
    """A network adapter of a domain.

    Attributes:
        id: What the verbs take: unique within the domain and stable while the adapter is there (libvirt: the MAC).
        mac: MAC address, lower case, with colons.
        network: Name of the network, bridge or port group; `None` when it is on none.
        model: `virtio e1000e …`, or the product's own word.
        position: Its place among the adapters as the guest finds them, from 0.
        link_up: Whether the cable is plugged, as far as the product is concerned; the guest's side is in `addresses`.
        vlan: Number of the VLAN that it is on.
        mtu: Largest packet in bytes, where the product tells.
        details: What one product alone has: JSON values under documented keys.
    """

    id: str
    mac: str | None = None
    network: str | None = None
    model: str | None = None
    position: int | None = None
    link_up: bool | None = None
    vlan: int | None = None
    mtu: int | None = None
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class Lineage(Record):
    """Another definition of the same machine, on this host or another, from before or after a move."""

    uuid: str
    hypervisor: str | None = None
    host: str | None = None
    """URL of the host, without secrets."""
    at: datetime | None = None


@attrs.frozen(kw_only=True, repr=False)
class FenceMark(Record):
    """The marker that `Domain.fence` left: who must not start this domain, why, and what was switched off."""

    reason: str
    at: datetime | None = None
    by: str | None = None
    autostart: bool = False
    """Whether autostart was on before."""
    links: tuple[str, ...] = ()
    """Ids of the adapters whose link was up before."""
