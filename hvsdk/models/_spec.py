"""What a new domain, disk or adapter is to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import attrs

from hvsdk._units import parse_size
from hvsdk.errors import InvalidSpecError
from hvsdk.models import _spec_checks as checks
from hvsdk.models._base import Record
from hvsdk.models._checks import RESERVED, check_metadata, check_tags, check_text
from hvsdk.models._hardware import CpuTopology
from hvsdk.models._mapping import EMPTY, FrozenDict

__all__ = ["Changes", "CloudInit", "DiskSpec", "DomainSpec", "NicSpec", "VolumeSpec"]


def _disks(values: Iterable[DiskSpec]) -> tuple[DiskSpec, ...]:
    return checks.several("disks", DiskSpec, values)


def _nics(values: Iterable[NicSpec]) -> tuple[NicSpec, ...]:
    return checks.several("nics", NicSpec, values)


@attrs.frozen(kw_only=True, repr=False)
class DiskSpec(Record):
    """A disk to make or attach. Give `size` for a new empty one, `source` for one that exists, both for a grown copy.

    Attributes:
        size: How large it is: bytes or a text such as `"40GiB"`; read as `size_bytes`.
        source: An existing volume: its path, or its name in `pool`. It is attached as it is, unless `copy` is set.
        copy: Copy `source` into a new volume instead of attaching it.
        pool: Name or id of the storage pool; the product's default without it.
        bus: `virtio sata scsi ide`; the product's paravirtual bus without it.
        format: Format of the new volume; the pool's thin one without it.
        device: `disk` or `cdrom`.
        boot_order: Its place in the boot order, from 1. Where no disk has one, the disks come first, then drives with an image;
            otherwise what has none is not booted from.
        readonly: Whether the guest can only read it.
        shareable: Whether several domains may have it at the same time.
        serial: Serial number that the guest reads.
        hints: Settings of one product, under its documented keys such as `kvm.iops`. Another product ignores them.
    """

    size_bytes: int | None = attrs.field(default=None, converter=checks.size, alias="size", validator=checks.positive)
    source: str | None = attrs.field(default=None, validator=checks.text)
    copy: bool = attrs.field(default=False, validator=checks.flag)
    pool: str | None = attrs.field(default=None, validator=checks.text)
    bus: str | None = attrs.field(default=None, validator=checks.text)
    format: str | None = attrs.field(default=None, validator=checks.text)
    device: Literal["disk", "cdrom"] = attrs.field(default="disk", validator=checks.one_of("disk", "cdrom"))
    boot_order: int | None = attrs.field(default=None, validator=checks.at_least_one)
    readonly: bool = attrs.field(default=False, validator=checks.flag)
    shareable: bool = attrs.field(default=False, validator=checks.flag)
    serial: str | None = attrs.field(default=None, validator=checks.text)
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=checks.hints, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.size_bytes is None and self.source is None and self.device == "disk":
            raise InvalidSpecError("a disk needs a size (a new one) or a source (one that exists)")
        if self.size_bytes is not None and self.source is not None and not self.copy:
            raise InvalidSpecError("size and source together mean a grown copy: say copy=True")
        if self.copy and self.source is None:
            raise InvalidSpecError("copy=True needs the source to copy")


@attrs.frozen(kw_only=True, repr=False)
class NicSpec(Record):
    """A network adapter to make.

    Attributes:
        network: Name or id of the network, bridge or port group; the product's default without it.
        mac: MAC address; a new one is made without it.
        model: `virtio e1000e …`; the product's paravirtual model without it.
        link_up: Whether the cable is plugged.
        vlan: Number of the VLAN that it is on.
        mtu: Largest packet in bytes; that of the network without it.
        hints: Settings of one product, under its documented keys such as `kvm.type`. Another product ignores them.
    """

    network: str | None = attrs.field(default=None, validator=checks.text)
    mac: str | None = attrs.field(default=None, converter=checks.mac)
    model: str | None = attrs.field(default=None, validator=checks.text)
    link_up: bool = attrs.field(default=True, validator=checks.flag)
    vlan: int | None = attrs.field(default=None, validator=checks.vlan)
    mtu: int | None = attrs.field(default=None, validator=checks.at_least_one)
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=checks.hints, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class CloudInit(Record):
    """Data for cloud-init, handed to the guest on a small NoCloud disk where the product has no way of its own.

    Attributes:
        user_data: The user data, such as `"#cloud-config …"`. It often holds passwords and keys: it is in no repr.
        meta_data: The meta data; made from name and UUID without it.
        network_config: The network configuration, where the guest shall not find its own.
    """

    user_data: str = attrs.field(repr=False, validator=checks.private_text)
    meta_data: str | None = attrs.field(default=None, repr=False, validator=checks.private_text)
    network_config: str | None = attrs.field(default=None, repr=False, validator=checks.private_text)


@attrs.frozen(kw_only=True, repr=False)
class VolumeSpec(Record):
    """A volume to make in a storage pool.

    Attributes:
        name: What it is called in its pool.
        size: How large it is: bytes or a text such as `"40GiB"`; read as `size_bytes`.
        format: Such as `qcow2` or `raw`; the pool's thin format without it.
        hints: Settings of one product, under its documented keys. Another product ignores them.
    """

    name: str = attrs.field(validator=checks.name)
    size_bytes: int = attrs.field(converter=parse_size, alias="size", validator=checks.positive)
    format: str | None = attrs.field(default=None, validator=checks.text)
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=checks.hints, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class DomainSpec(Record):
    """A domain to make. It is made shut off.

    Attributes:
        name: What it is called.
        vcpus: How many vCPUs it boots with.
        max_vcpus: How many can be plugged in while it runs; `vcpus` without it.
        memory: What it boots with: bytes or a text such as `"4GiB"`; read as `memory_bytes`.
        max_memory: How much it can grow to while it runs; `memory` without it. Read as `max_memory_bytes`.
        disks: Its disks, in the order in which the guest finds them.
        nics: Its network adapters, in the order in which the guest finds them.
        firmware: `bios` or `uefi`.
        secure_boot: Whether only signed systems boot; needs `uefi`.
        uuid: A UUID of your choice, where the product can take it; a new one is made without it.
        media: An ISO image to put in a CD-ROM drive: a path, or `pool/volume`.
        cloud_init: Data for the first boot.
        template: Name or id of a template to make it from, where the product has templates.
        tags: Labels without a value.
        notes: Text for people.
        metadata: Key/values of tools, with keys such as `team.owner`. Those of a domain that it is to be a copy of may have
            hvsdk's own marks among them, whose keys begin with `hvsdk.`.
        autostart: Whether it starts with its node.
        cpu_topology: How the guest sees its vCPUs laid out.
        clock: What the guest finds in its hardware clock: `utc`, `localtime`, or an offset to UTC in seconds.
        guest_os: A short family for profiles: `linux`, `windows`, or the product's own id.
        machine: The emulated board where there is a choice: `q35`, `pc`.
        smbios: What the guest reads there: `manufacturer product version serial sku family`, and `uuid` where it differs.
        pci_order: Give disks and adapters fixed addresses in the order of the spec, so that names in the guest are stable.
        hints: Settings of one product, under its documented keys such as `kvm.cpu_mode`. Another product ignores them.

    Example:
        >>> import hvsdk
        >>> hvsdk.DomainSpec(name="db-2", vcpus=2, memory="4GiB", disks=[hvsdk.DiskSpec(size="40GiB")]).memory_bytes
        4294967296
    """

    name: str = attrs.field(validator=checks.name)
    vcpus: int = attrs.field(default=1, validator=checks.at_least_one)
    max_vcpus: int | None = attrs.field(default=None, validator=checks.at_least_one)
    memory_bytes: int = attrs.field(converter=parse_size, alias="memory", validator=checks.positive)
    max_memory_bytes: int | None = attrs.field(
        default=None, converter=checks.size, alias="max_memory", validator=checks.positive
    )
    disks: tuple[DiskSpec, ...] = attrs.field(default=(), converter=_disks)
    nics: tuple[NicSpec, ...] = attrs.field(default=(), converter=_nics)
    firmware: Literal["bios", "uefi"] = attrs.field(default="bios", validator=checks.one_of("bios", "uefi"))
    secure_boot: bool = attrs.field(default=False, validator=checks.flag)
    uuid: str | None = attrs.field(default=None, converter=checks.uuid_text)
    media: str | None = attrs.field(default=None, validator=checks.text)
    cloud_init: CloudInit | None = attrs.field(default=None, validator=checks.a(CloudInit))
    template: str | None = attrs.field(default=None, validator=checks.text)
    tags: frozenset[str] = attrs.field(default=frozenset(), converter=check_tags)
    notes: str = ""
    metadata: FrozenDict[str, str] = attrs.field(default=EMPTY, converter=checks.metadata, hash=False)
    autostart: bool = attrs.field(default=False, validator=checks.flag)
    cpu_topology: CpuTopology | None = attrs.field(default=None, validator=checks.a(CpuTopology))
    clock: Literal["utc", "localtime"] | int = attrs.field(default="utc", validator=checks.clock)
    guest_os: str | None = attrs.field(default=None, validator=checks.text)
    machine: str | None = attrs.field(default=None, validator=checks.text)
    smbios: FrozenDict[str, str] = attrs.field(default=EMPTY, converter=checks.smbios, hash=False)
    pci_order: bool = attrs.field(default=False, validator=checks.flag)
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=checks.hints, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.max_vcpus is not None and self.max_vcpus < self.vcpus:
            raise InvalidSpecError(f"max_vcpus ({self.max_vcpus}) is less than vcpus ({self.vcpus})")
        if self.max_memory_bytes is not None and self.max_memory_bytes < self.memory_bytes:
            raise InvalidSpecError("max_memory is less than memory")
        if self.secure_boot and self.firmware != "uefi":
            raise InvalidSpecError("secure_boot needs firmware='uefi'")
        if self.cpu_topology is not None:
            total = self.cpu_topology.sockets * self.cpu_topology.cores * self.cpu_topology.threads
            if total != (self.max_vcpus or self.vcpus):
                raise InvalidSpecError(f"cpu_topology makes {total} vCPUs, not {self.max_vcpus or self.vcpus}")
        macs = [nic.mac for nic in self.nics if nic.mac is not None]
        if len(set(macs)) != len(macs):
            raise InvalidSpecError("two adapters have the same MAC address")
        orders = [disk.boot_order for disk in self.disks if disk.boot_order is not None]
        if len(set(orders)) != len(orders):
            raise InvalidSpecError("two disks have the same boot_order")
        check_metadata({k: v for k, v in self.metadata.items() if not k.startswith(RESERVED)})
        check_text("notes", self.notes)


@attrs.frozen(kw_only=True, repr=False)
class Changes(Record):
    """What `Domain.reconfigure` is asked to change; `None` leaves a setting as it is."""

    vcpus: int | None = attrs.field(default=None, validator=checks.at_least_one)
    max_vcpus: int | None = attrs.field(default=None, validator=checks.at_least_one)
    memory_bytes: int | None = attrs.field(
        default=None, converter=checks.size, alias="memory", validator=checks.positive
    )
    max_memory_bytes: int | None = attrs.field(
        default=None, converter=checks.size, alias="max_memory", validator=checks.positive
    )
    cpu_topology: CpuTopology | None = attrs.field(default=None, validator=checks.a(CpuTopology))
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=checks.hints, hash=False)

    @property
    def asked(self) -> frozenset[str]:
        """Names of the settings that are to change, in the words of `Domain.reconfigure`."""
        names = {
            "vcpus": self.vcpus,
            "max_vcpus": self.max_vcpus,
            "memory": self.memory_bytes,
            "max_memory": self.max_memory_bytes,
            "cpu_topology": self.cpu_topology,
        }
        return frozenset(name for name, value in names.items() if value is not None) | frozenset(self.hints)
