"""A virtual machine's properties as the fields of a `DomainInfo`, and which properties that takes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import datetime
from sys import intern
from typing import Any

import attrs
from hvsdk.driver import FIELD_GROUPS, CpuTopology, DomainInfo, domain_info_maker, frozen, read_marks

from hvsdk_vmware._details import DETAIL_PATHS, details
from hvsdk_vmware._devices import NetworkName, disks, nics
from hvsdk_vmware._extra_config import TAGS_KEY, metadata_in, read_tags
from hvsdk_vmware._fenced import fence_made_it, is_template
from hvsdk_vmware._fields import NOTHING, Found, Sharing, Values, child, flag, moment, number, options, text
from hvsdk_vmware._guest import GUEST_PATHS, guest_fields
from hvsdk_vmware._names import shown
from hvsdk_vmware._states import power_state

__all__ = ["HYPERVISOR", "Around", "domain_paths", "records", "summaries"]

HYPERVISOR = "vmware"
_MIB = 20
_NO_TAGS = frozenset[str]()

_SUMMARY_PATHS = (
    "name",
    "summary.config.instanceUuid",
    "summary.config.numCpu",
    "summary.config.memorySizeMB",
    "summary.config.template",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.host",
)
_CONFIG_PATHS = (
    "parent",
    "config.hardware.device",
    "config.hardware.numCoresPerSocket",
    "config.hotPlugMemoryLimit",
    "config.firmware",
    "config.bootOptions",
    "config.annotation",
    "config.extraConfig",
    "runtime.bootTime",
    *DETAIL_PATHS,
)
_CREATED = "config.createDate"
_SUMMARY = (*FIELD_GROUPS["summary"], "seen_at")
_CONFIG, _GUEST = FIELD_GROUPS["config"], FIELD_GROUPS["guest"]
_MAKERS: Mapping[frozenset[str], Callable[..., DomainInfo]] = {
    frozenset[str](): domain_info_maker(*_SUMMARY),
    frozenset({"config"}): domain_info_maker(*_SUMMARY, *_CONFIG),
    frozenset({"guest"}): domain_info_maker(*_SUMMARY, *_GUEST),
    frozenset({"config", "guest"}): domain_info_maker(*_SUMMARY, *_CONFIG, *_GUEST),
}
_make_summary = _MAKERS[frozenset()]


def domain_paths(include: frozenset[str], *, created: bool) -> list[str]:
    """Return the properties that these field groups take.

    Args:
        created: Whether the server tells when a domain was made (6.7 and later).
    """
    config = (*_CONFIG_PATHS, _CREATED) if created else _CONFIG_PATHS
    wanted = (*_SUMMARY_PATHS, *(config if "config" in include else ()), *(GUEST_PATHS if "guest" in include else ()))
    return list(dict.fromkeys(wanted))


@attrs.define
class Around:
    """What domains' properties refer to, by ids."""

    hosts: dict[str, str] = attrs.field(factory=dict)
    """Names of the hosts."""
    autostart: dict[str, bool] = attrs.field(factory=dict)
    """Whether a domain starts with its host; what no host says anything of does not."""
    networks: dict[str, NetworkName] = attrs.field(factory=dict)
    folders: dict[str, tuple[str, str]] = attrs.field(factory=dict)
    """Names of folders and datacenters, and the id of what each is in, `""` for the root."""
    fenced: frozenset[str] = frozenset()
    """Ids of those templates that a fence made such, where that was read by itself."""
    tags: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    """vCenter's own tags by domain, as they are shown."""
    no_tags: str | None = None
    """Why those are not known, if so."""
    _paths: dict[str, str] = attrs.field(factory=dict, init=False)

    def path_of(self, folder: str) -> str | None:
        """Return a folder's path from the root, such as `Berlin/vm/web`; the root itself is not in it."""
        known = self._paths.get(folder)
        if known is None:
            names: list[str] = []
            at = folder
            while at in self.folders and len(names) < 100:
                name, above = self.folders[at]
                if not above:
                    break
                names.append(name)
                at = above
            known = self._paths[folder] = "/".join(reversed(names))
        return known or None


def summaries(
    found: Iterable[Found], hosts: Mapping[str, str], fenced: Container[str], seen_at: datetime
) -> list[DomainInfo]:
    """Return the summary of every domain: the path of large listings.

    Args:
        fenced: Ids of those templates that a fence made such.
    """
    return [_make_summary(*_summary(one, hosts, fenced, seen_at)) for one in found]


def records(
    found: Iterable[Found], include: frozenset[str], around: Around, seen_at: datetime, sharing: Sharing
) -> list[DomainInfo]:
    """Return the records of these domains with the field groups that are asked for."""
    make = _MAKERS[include]
    made = []
    for one in found:
        fenced = (one.id,) if "config" in include and fence_made_it(one.values) else around.fenced
        values = _summary(one, around.hosts, fenced, seen_at)
        if "config" in include:
            config = _config(one, around, sharing)
            values += [config[field] for field in _CONFIG]
        if "guest" in include:
            guest = guest_fields(one.values)
            values += [guest[field] for field in _GUEST]
        made.append(make(*values))
    return made


def _summary(one: Found, hosts: Mapping[str, str], fenced: Container[str], seen_at: datetime) -> list[Any]:
    values = one.values
    memory = number(values, "summary.config.memorySizeMB")
    return [
        one.id,
        text(values, "summary.config.instanceUuid").lower() or None,
        shown(text(values, "name")),
        power_state(text(values, "runtime.powerState"), text(values, "runtime.connectionState") or None),
        HYPERVISOR,
        hosts.get(text(values, "runtime.host")),
        is_template(values) and one.id not in fenced,
        False,
        number(values, "summary.config.numCpu"),
        memory << _MIB if memory is not None else None,
        seen_at,
    ]


def _config(one: Found, around: Around, sharing: Sharing) -> dict[str, Any]:
    values = one.values
    vcpus, memory = number(values, "summary.config.numCpu"), number(values, "summary.config.memorySizeMB")
    entries = dict(options(values, "config.extraConfig"))
    metadata = frozen(metadata_in(entries))
    return {
        "folder": around.path_of(text(values, "parent")),
        "max_vcpus": None if flag(values, "config.cpuHotAddEnabled") else vcpus,
        "cpu_topology": _topology(values, vcpus, sharing),
        "max_memory_bytes": _max_memory(values, memory),
        "disks": disks(values, sharing),
        "nics": nics(values, around.networks, sharing),
        "firmware": {"bios": "bios", "efi": "uefi"}.get(text(values, "config.firmware")),
        "secure_boot": _secure_boot(values),
        "virtualization": "hvm",
        "autostart": around.autostart.get(one.id, False),
        "tags": sharing.tags(map(intern, read_tags(entries.get(TAGS_KEY, "")) | around.tags.get(one.id, _NO_TAGS))),
        "notes": text(values, "config.annotation"),
        "metadata": metadata,
        **read_marks(metadata),
        "created_at": moment(values, _CREATED),
        "started_at": moment(values, "runtime.bootTime") if text(values, "runtime.powerState") == "poweredOn" else None,
        "details": details(values, sharing, around.no_tags),
    }


def _max_memory(values: Values, memory: int | None) -> int | None:
    """Return what memory can grow to while the domain runs: what it is, unless more can be added."""
    if flag(values, "config.memoryHotAddEnabled"):
        limit = number(values, "config.hotPlugMemoryLimit")
        return limit << _MIB if limit else None
    return memory << _MIB if memory is not None else None


def _secure_boot(values: Values) -> bool | None:
    if not text(values, "config.firmware"):
        return None
    return child(values.get("config.bootOptions", NOTHING), "efiSecureBootEnabled") == "true"


def _topology(values: Values, vcpus: int | None, sharing: Sharing) -> CpuTopology | None:
    cores = number(values, "config.hardware.numCoresPerSocket")
    if not vcpus or not cores or cores < 1 or vcpus % cores:
        return None
    return sharing.topology(vcpus // cores, cores)
