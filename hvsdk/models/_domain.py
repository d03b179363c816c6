"""`DomainInfo`: what is known of a domain, where a field can be there, unknown (`None`) or not loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn, Self, cast

import attrs

from hvsdk.enums import PowerState
from hvsdk.errors import NotLoadedError
from hvsdk.models._base import Record, plain
from hvsdk.models._mapping import FrozenDict, frozen

if TYPE_CHECKING:
    from hvsdk.models._hardware import Address, CpuTopology, Disk, FenceMark, Lineage, Nic

__all__ = ["FIELD_GROUPS", "DomainInfo"]

NOT_LOADED: Any = type("NotLoaded", (), {"__repr__": lambda self: "<not loaded>", "__slots__": ()})()
"""Default of a field that the caller did not fetch. It never leaves this module's constructors."""

FIELD_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "summary": (
        "native_id",
        "uuid",
        "name",
        "power_state",
        "hypervisor",
        "node",
        "is_template",
        "is_control",
        "vcpus",
        "memory_bytes",
    ),
    "config": (
        "folder",
        "max_vcpus",
        "cpu_topology",
        "max_memory_bytes",
        "disks",
        "nics",
        "firmware",
        "secure_boot",
        "virtualization",
        "autostart",
        "tags",
        "notes",
        "metadata",
        "moved_from",
        "superseded_by",
        "fenced",
        "created_at",
        "started_at",
        "details",
    ),
    "guest": ("addresses", "guest_hostname", "guest_os", "agent"),
}
"""Which fields of `DomainInfo` each group of a listing loads."""

_ALWAYS: Final = frozenset({"native_id", "name", "power_state", "node", "is_template", "is_control"})
_GROUP_OF: Final = {field: group for group, fields in FIELD_GROUPS.items() for field in fields}


@attrs.define(init=False, eq=False, repr=False, getstate_setstate=False, slots=True)
class DomainInfo(Record):
    """One domain, as it was at `seen_at`. Frozen.

    A field that is not known on this product is `None`; a field that was not fetched raises `NotLoadedError` when it is
    read. `loaded` names what is there; `repr`, `==`, `hash`, `pickle` and `copy` never raise. `hasattr`,
    `attrs.evolve` and `attrs.asdict` count as reading: use `replace()` and `to_dict()`.

    Attributes:
        native_id: The product's own key: libvirt and XAPI the UUID, vSphere the managed object id, Hyper-V the VMId.
        uuid: Lower case, with hyphens, as the product spells it.
        name: What it is called.
        power_state: Whether it runs: see `PowerState`.
        hypervisor: `kvm xen vmware hyperv …`: what runs it.
        node: Name of the physical machine it runs on or belongs to.
        is_template: Whether domains are made from it; it does not run itself.
        is_control: Whether it is the hypervisor's own control domain (Xen's dom0).
        vcpus: How many vCPUs it boots with.
        memory_bytes: What it boots with.
        folder: Where the product sorts it, as a path.
        max_vcpus: How many vCPUs it can have while it runs.
        cpu_topology: How the guest sees its vCPUs laid out.
        max_memory_bytes: How much memory it can have while it runs.
        disks: Its disks and drives.
        nics: Its network adapters.
        firmware: `bios` or `uefi`.
        secure_boot: Whether only signed systems boot.
        virtualization: `hvm`, or how Xen runs it: `pv pvh pvhvm`.
        autostart: Whether it starts with its node.
        tags: Labels without a value.
        notes: Text for people.
        metadata: Key/values of tools, with keys such as `team.owner`; keys that begin with `hvsdk.` are hvsdk's own.
        moved_from: The definition that this one was made from in a move.
        superseded_by: The definition that took its place in a move.
        fenced: Why it must not be started; `None` when it may.
        created_at: When it was made, where the product tells.
        started_at: When it was switched on; `None` when it is off.
        details: What one product alone has: JSON values under documented keys such as `kvm.machine`.
        addresses: IP addresses of the guest, and how each is known.
        guest_hostname: What the guest calls itself.
        guest_os: What runs in it, in its own words.
        agent: Whether the guest's agent or tools are `running`, `stopped`, `absent` or `unknown`.
        seen_at: When it was read; left out of equality.
    """

    _left_out: ClassVar[frozenset[str]] = frozenset(_GROUP_OF) - _ALWAYS

    native_id: str
    uuid: str | None
    name: str
    power_state: PowerState
    hypervisor: str | None
    node: str | None
    is_template: bool
    is_control: bool
    vcpus: int | None
    memory_bytes: int | None

    folder: str | None
    max_vcpus: int | None
    cpu_topology: CpuTopology | None
    max_memory_bytes: int | None
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    firmware: Literal["bios", "uefi"] | None
    secure_boot: bool | None
    virtualization: Literal["hvm", "pv", "pvh", "pvhvm"] | None
    autostart: bool | None
    tags: frozenset[str]
    notes: str
    metadata: FrozenDict[str, str]
    moved_from: Lineage | None
    superseded_by: Lineage | None
    fenced: FenceMark | None
    created_at: datetime | None
    started_at: datetime | None
    details: FrozenDict[str, Any]

    addresses: tuple[Address, ...]
    guest_hostname: str | None
    guest_os: str | None
    agent: Literal["running", "stopped", "absent", "unknown"] | None

    seen_at: datetime

    def __init__(
        self,
        *,
        native_id: str,
        name: str,
        power_state: PowerState,
        uuid: str | None = NOT_LOADED,
        hypervisor: str | None = NOT_LOADED,
        node: str | None = None,
        is_template: bool = False,
        is_control: bool = False,
        vcpus: int | None = NOT_LOADED,
        memory_bytes: int | None = NOT_LOADED,
        folder: str | None = NOT_LOADED,
        max_vcpus: int | None = NOT_LOADED,
        cpu_topology: CpuTopology | None = NOT_LOADED,
        max_memory_bytes: int | None = NOT_LOADED,
        disks: Iterable[Disk] = NOT_LOADED,
        nics: Iterable[Nic] = NOT_LOADED,
        firmware: Literal["bios", "uefi"] | None = NOT_LOADED,
        secure_boot: bool | None = NOT_LOADED,
        virtualization: Literal["hvm", "pv", "pvh", "pvhvm"] | None = NOT_LOADED,
        autostart: bool | None = NOT_LOADED,
        tags: Iterable[str] = NOT_LOADED,
        notes: str = NOT_LOADED,
        metadata: Mapping[str, str] = NOT_LOADED,
        moved_from: Lineage | None = NOT_LOADED,
        superseded_by: Lineage | None = NOT_LOADED,
        fenced: FenceMark | None = NOT_LOADED,
        created_at: datetime | None = NOT_LOADED,
        started_at: datetime | None = NOT_LOADED,
        details: Mapping[str, Any] = NOT_LOADED,
        addresses: Iterable[Address] = NOT_LOADED,
        guest_hostname: str | None = NOT_LOADED,
        guest_os: str | None = NOT_LOADED,
        agent: Literal["running", "stopped", "absent", "unknown"] | None = NOT_LOADED,
        seen_at: datetime | None = None,
    ) -> None:
        """Make a record; a field left out is not loaded. `hvsdk.driver` documents the faster way for bulk answers.

        Lineage and fence are read from `metadata` when it is given and they are not.
        """
        values = locals()
        if metadata is not NOT_LOADED:
            from hvsdk.models._marks import read_marks

            for key, value in read_marks(metadata).items():
                if values[key] is NOT_LOADED:
                    values[key] = value
        for key in _NAMES:
            value = values[key]
            if value is not NOT_LOADED:
                _SETTERS[key](self, _CONVERT[key](value) if key in _CONVERT else value)
        if seen_at is None:
            _SETTERS["seen_at"](self, datetime.now(UTC))

    def __getattr__(self, name: str) -> NoReturn:
        group = _GROUP_OF.get(name)
        if group is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        listed = (
            "config" if group == "summary" else group
        )  # a summary that lacks it is one that the product is short in
        hint = f"call refresh() on the domain, or list with include=({listed!r},)"
        raise NotLoadedError(f"{name} of domain {self._items().get('name')!r} was not loaded", hint=hint)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise attrs.exceptions.FrozenInstanceError

    def __delattr__(self, name: str) -> NoReturn:
        raise attrs.exceptions.FrozenInstanceError

    @property
    def loaded(self) -> frozenset[str]:
        """Names of the fields that are there."""
        return frozenset(self._items())

    def has(self, group: str) -> bool:
        """Return whether a whole field group (`"config"`, `"guest"`) is loaded."""
        items = self._items()
        return all(field in items for field in FIELD_GROUPS[group])

    def _items(self) -> dict[str, Any]:
        found = {}
        for name, get in _GETTERS.items():
            try:
                found[name] = get(self)
            except AttributeError:
                continue
        return found

    def replace(self, **changes: Any) -> Self:
        """Return a copy with the given fields changed; what is not loaded stays so."""
        unknown = changes.keys() - _SETTERS.keys()
        if unknown:
            raise TypeError(f"DomainInfo has no field {', '.join(sorted(unknown))}")
        copy = _new(type(self))
        for name, value in {**self._items(), **changes}.items():
            _SETTERS[name](copy, _CONVERT[name](value) if name in changes and name in _CONVERT else value)
        return copy

    def without(self, group: str) -> Self:
        """Return a copy in which a field group is not loaded."""
        copy = _new(type(self))
        for name, value in self._items().items():
            if _GROUP_OF.get(name) != group:
                _SETTERS[name](copy, value)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Return what is loaded as JSON values."""
        return {name: plain(value) for name, value in self._items().items()}

    def _key(self) -> dict[str, Any]:
        items = self._items()
        items.pop("seen_at", None)
        return items

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or self._key() == other._key()

    def __hash__(self) -> int:
        return hash(tuple((k, v) for k, v in self._key().items() if not isinstance(v, dict)))

    def __repr__(self) -> str:
        items = self._items()
        return f"<DomainInfo {items.get('name')!r} {items.get('power_state')}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._items(),)


_new: Final = object.__new__
_NAMES: Final[tuple[str, ...]] = tuple(field.name for field in attrs.fields(DomainInfo))
_SETTERS: Final[dict[str, Callable[[Any, Any], None]]] = {n: vars(DomainInfo)[n].__set__ for n in _NAMES}
_GETTERS: Final[dict[str, Callable[[Any], Any]]] = {n: vars(DomainInfo)[n].__get__ for n in _NAMES}
_CONVERT: Final[dict[str, Callable[[Any], Any]]] = {
    "disks": tuple,
    "nics": tuple,
    "addresses": tuple,
    "tags": frozenset,
    "metadata": frozen,
    "details": frozen,
}


def _restore(items: dict[str, Any]) -> DomainInfo:
    info = _new(DomainInfo)
    for name, value in items.items():
        if name in _SETTERS:
            _SETTERS[name](info, value)
    return info


def domain_info_maker(*names: str) -> Callable[..., DomainInfo]:
    """Return a function that makes a `DomainInfo` from exactly these fields, given by position.

    For bulk answers: several times as fast as `DomainInfo(…)`, with no conversion and no check. `native_id`, `name`,
    `power_state` and `seen_at` must be among them; `disks`, `nics` and `addresses` must be tuples, `tags` a frozenset,
    `metadata` and `details` a `FrozenDict`, and whoever gives `metadata` gives `moved_from`, `superseded_by` and `fenced`
    (see `read_marks`). `node`, `is_template` and `is_control` are `None`, `False`, `False` when left out.

    Raises:
        TypeError: A field does not exist or a required one is missing.
    """
    unknown = set(names) - set(_NAMES)
    missing = {"native_id", "name", "power_state", "seen_at"} - set(names)
    if unknown or missing or len(set(names)) != len(names):
        raise TypeError(f"domain_info_maker: unknown {sorted(unknown)}, missing {sorted(missing)}")
    constant = {"node": None, "is_template": False, "is_control": False}
    lines = [f"def make({', '.join(names)}):", " info = new(cls)"]
    lines += [f" set_{name}(info, {name})" for name in names]
    lines += [f" set_{name}(info, {value!r})" for name, value in constant.items() if name not in names]
    lines.append(" return info")
    scope: dict[str, Any] = {f"set_{name}": setter for name, setter in _SETTERS.items()}
    scope |= {"new": _new, "cls": DomainInfo}
    exec("\n".join(lines), scope)  # names were checked against the fields above
    return cast("Callable[..., DomainInfo]", scope["make"])
