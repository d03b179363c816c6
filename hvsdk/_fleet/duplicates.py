"""Domains that are there twice: one UUID on two hosts, which no move explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import attrs

from hvsdk._fleet.result import Failure
from hvsdk._listing import uuid_spellings
from hvsdk.enums import PowerState

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._fleet.result import FleetDomains
    from hvsdk.models import DomainInfo, Lineage

__all__ = ["Duplicate", "DuplicateList", "duplicates"]

_ON = (PowerState.RUNNING, PowerState.PAUSED)


@attrs.frozen(kw_only=True)
class Duplicate:
    """Domains of one UUID.

    Attributes:
        uuid: As the first of them has it.
        reason: `"both run"`: more than one of them runs, which destroys what they share, whatever lineage says;
            `"unexplained"`: no lineage says that one was made from the other.
        hosts: What the fleet calls their hosts, one for each domain.
        domains: The domains.
    """

    uuid: str
    reason: Literal["both run", "unexplained"]
    hosts: tuple[str, ...]
    domains: tuple[Domain, ...]


class DuplicateList(list[Duplicate]):
    """Duplicates, with what could not be looked at.

    Attributes:
        failures: Hosts that did not answer: there may be more duplicates on these.
    """

    failures: tuple[Failure, ...] = ()


def duplicates(found: FleetDomains) -> DuplicateList:
    """Return what is there twice among the domains of a fleet, read with the group `config`.

    Hosts that are members of the same cluster, or the same endpoint named twice, show one and the same domain: that is
    none, as long as node and native id are the same.
    """
    groups: dict[str, list[tuple[str, Domain]]] = defaultdict(list)
    for host, domain in zip(found.hosts, found, strict=True):
        if domain.info.uuid and not domain.info.is_template:
            groups[min(uuid_spellings(domain.info.uuid) or {domain.info.uuid})].append((host, domain))
    result = DuplicateList()
    result.failures = found.failures
    for members in groups.values():
        distinct = _distinct(members)
        infos = [domain.info for _, domain in distinct]
        running = sum(info.power_state in _ON for info in infos) > 1
        if len(distinct) > 1 and (running or not _explained(infos)):
            result.append(
                Duplicate(
                    uuid=str(infos[0].uuid),
                    reason="both run" if running else "unexplained",
                    hosts=tuple(host for host, _ in distinct),
                    domains=tuple(domain for _, domain in distinct),
                )
            )
    return result


def _distinct(members: Iterable[tuple[str, Domain]]) -> list[tuple[str, Domain]]:
    """Leave out what is seen a second time through another member of the same pool or cluster."""
    seen: dict[object, tuple[str, Domain]] = {}
    for number, (host, domain) in enumerate(members):
        info = domain.info
        key: object = (info.hypervisor, info.node, info.native_id) if info.node else number
        seen.setdefault(key, (host, domain))
    return list(seen.values())


def _explained(infos: list[DomainInfo]) -> bool:
    """Whether lineage links each two of them, directly: the one was moved to become the other."""
    return all(_linked(one, other) or _linked(other, one) for one, other in combinations(infos, 2))


def _linked(before: DomainInfo, after: DomainInfo) -> bool:
    return _names(before.superseded_by, after) or _names(after.moved_from, before)


def _names(lineage: Lineage | None, info: DomainInfo) -> bool:
    """Whether a lineage names a domain: by UUID, and by product where it tells one."""
    if lineage is None or lineage.uuid.lower() not in uuid_spellings(info.uuid or ""):
        return False
    return lineage.hypervisor is None or lineage.hypervisor == info.hypervisor
