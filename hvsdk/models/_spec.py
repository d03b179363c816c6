"""What a new domain, disk or adapter is to be."""

from __future__ import annotations

import re
import uuid as _uuid
from collections.abc import Iterable
from typing import Any, Literal

import attrs

from hvsdk._units import parse_size
from hvsdk.errors import InvalidSpecError
from hvsdk.models._base import Record
from hvsdk.models._checks import RESERVED, check_metadata, check_name, check_tags, check_text
from hvsdk.models._hardware import CpuTopology
from hvsdk.models._mapping import EMPTY, FrozenDict, frozen

__all__ = ["Changes", "CloudInit", "DiskSpec", "DomainSpec", "NicSpec", "VolumeSpec"]

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def _size(value: int | str | None) -> int | None:
    return None if value is None else parse_size(value)


def _disks(values: Iterable[DiskSpec]) -> tuple[DiskSpec, ...]:
    return tuple(values)


def _nics(values: Iterable[NicSpec]) -> tuple[NicSpec, ...]:
    return tuple(values)


def _mac(value: str | None) -> str | None:
    if value is None:
        return None
    mac = value.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        raise InvalidSpecError(f"{value!r} is not a MAC address", hint="write it as 52:54:00:12:34:56")
    if int(mac[:2], 16) & 1:
        raise InvalidSpecError(f"{value!r} is a multicast address; an adapter cannot have it")
    return mac


def _uuid_text(value: str | _uuid.UUID | None) -> str | None:
    try:
        return None if value is None else str(_uuid.UUID(str(value)))
    except ValueError:
        raise InvalidSpecError(f"{value!r} is not a UUID") from None


def _at_least_one(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InvalidSpecError(f"{attribute.name} must be a whole number of at least 1, not {value!r}")


def _positive(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and value < 1:
        raise InvalidSpecError(f"{attribute.name.removesuffix('_bytes')} must be more than 0")


def _text(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidSpecError(f"{attribute.name} is a text, not {value!r}")


def _all(kind: type) -> Any:
    def check(instance: Any, attribute: Any, value: Any) -> None:
        for one in value:
            if not isinstance(one, kind):
                raise InvalidSpecError(f"{attribute.name} are {kind.__name__}s, not {one!r}")

    return check


def _name(instance: Any, attribute: Any, value: Any) -> None:
    check_name(value)


@attrs.frozen(kw_only=True, repr=False)
class DiskSpec(Record):
    """A disk to make or attach. Give `size` for a new empty one, `source` for one that exists, both for a grown copy."""

    size_bytes: int | None = attrs.field(default=None, converter=_size, alias="size", validator=_positive)
    """Bytes or a text such as `"40GiB"`."""
    source: str | None = attrs.field(default=None, validator=_text)
    """An existing volume: its path, or its name in `pool`. It is attached as it is, unless `copy` is set."""
    copy: bool = False
    """Copy `source` into a new volume instead of attaching it."""
    pool: str | None = attrs.field(default=None, validator=_text)
    """Name or id of the storage pool; the product's default without it."""
    bus: str | None = None
    """`virtio sata scsi ide`; the product's paravirtual bus without it."""
    format: str | None = None
    """Format of the new volume; the pool's thin one without it."""
    device: Literal["disk", "cdrom"] = "disk"
    boot_order: int | None = attrs.field(default=None, validator=_at_least_one)
    readonly: bool = False
    shareable: bool = False
    serial: str | None = None
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.size_bytes is None and self.source is None and self.device == "disk":
            raise InvalidSpecError("a disk needs a size (a new one) or a source (one that exists)")
        if self.size_bytes is not None and self.source is not None and not self.copy:
            raise InvalidSpecError("size and source together mean a grown copy: say copy=True")
        if self.copy and self.source is None:
            raise InvalidSpecError("copy=True needs the source to copy")


@attrs.frozen(kw_only=True, repr=False)
class NicSpec(Record):
    """A network adapter to make."""

    network: str | None = attrs.field(default=None, validator=_text)
    """Name or id of the network, bridge or port group; the product's default without it."""
    mac: str | None = attrs.field(default=None, converter=_mac)
    """A new one is made without it."""
    model: str | None = None
    """`virtio e1000e …`; the product's paravirtual model without it."""
    link_up: bool = True
    vlan: int | None = None
    mtu: int | None = None
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class CloudInit(Record):
    """Data for cloud-init, handed to the guest on a small NoCloud disk where the product has no way of its own."""

    user_data: str = attrs.field(repr=False)
    """Often holds passwords and keys: it is in no repr."""
    meta_data: str | None = attrs.field(default=None, repr=False)
    """Made from name and UUID without it."""
    network_config: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True, repr=False)
class VolumeSpec(Record):
    """A volume to make in a storage pool."""

    name: str = attrs.field(validator=_name)
    size_bytes: int = attrs.field(converter=parse_size, alias="size", validator=_positive)
    format: str | None = None
    """The pool's thin format without it."""
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class DomainSpec(Record):
    """A domain to make. It is made shut off.

    Example:
        >>> import hvsdk
        >>> hvsdk.DomainSpec(name="db-2", vcpus=2, memory="4GiB", disks=[hvsdk.DiskSpec(size="40GiB")]).memory_bytes
        4294967296
    """

    name: str = attrs.field(validator=_name)
    vcpus: int = attrs.field(default=1, validator=_at_least_one)
    max_vcpus: int | None = attrs.field(default=None, validator=_at_least_one)
    memory_bytes: int = attrs.field(converter=parse_size, alias="memory", validator=_positive)
    max_memory_bytes: int | None = attrs.field(default=None, converter=_size, alias="max_memory", validator=_positive)
    disks: tuple[DiskSpec, ...] = attrs.field(default=(), converter=_disks, validator=_all(DiskSpec))
    nics: tuple[NicSpec, ...] = attrs.field(default=(), converter=_nics, validator=_all(NicSpec))
    firmware: Literal["bios", "uefi"] = "bios"
    secure_boot: bool = False
    uuid: str | None = attrs.field(default=None, converter=_uuid_text)
    media: str | None = attrs.field(default=None, validator=_text)
    """An ISO image to put in a CD-ROM drive: a path, or `pool/volume`."""
    cloud_init: CloudInit | None = None
    template: str | None = None
    """Name or id of a template to make it from, where the product has templates."""
    tags: frozenset[str] = attrs.field(default=frozenset(), converter=check_tags)
    notes: str = ""
    metadata: FrozenDict[str, str] = attrs.field(default=EMPTY, converter=frozen, hash=False)
    autostart: bool = False
    cpu_topology: CpuTopology | None = None
    clock: Literal["utc", "localtime"] | int = "utc"
    """What the guest finds in its hardware clock; a number is an offset to UTC in seconds."""
    guest_os: str | None = None
    """A short family for profiles: `linux`, `windows`, or the product's own id."""
    machine: str | None = None
    """The emulated board where there is a choice: `q35`, `pc`."""
    smbios: FrozenDict[str, str] = attrs.field(default=EMPTY, converter=frozen, hash=False)
    """What the guest reads there: `manufacturer product version serial sku family`, and `uuid` where it differs."""
    pci_order: bool = False
    """Give disks and adapters fixed addresses in the order of the spec, so that names in the guest are stable."""
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)
    """Settings of one product, under its documented keys such as `kvm.cpu_mode`. Another product ignores them."""

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
        check_metadata({k: v for k, v in self.metadata.items() if not k.startswith(RESERVED)})
        check_text("notes", self.notes)


@attrs.frozen(kw_only=True, repr=False)
class Changes(Record):
    """What `Domain.reconfigure` is asked to change; `None` leaves a setting as it is."""

    vcpus: int | None = attrs.field(default=None, validator=_at_least_one)
    max_vcpus: int | None = attrs.field(default=None, validator=_at_least_one)
    memory_bytes: int | None = attrs.field(default=None, converter=_size, alias="memory", validator=_positive)
    max_memory_bytes: int | None = attrs.field(default=None, converter=_size, alias="max_memory", validator=_positive)
    cpu_topology: CpuTopology | None = None
    hints: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)

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
