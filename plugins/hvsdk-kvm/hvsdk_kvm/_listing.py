"""Inventory: the summary from bulk calls, configuration from XML, the guest's side from its agent."""

from __future__ import annotations

import re
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import libvirt
from hvsdk.driver import FIELD_GROUPS, Deadline, DomainInfo, HostInfo, domain_info_maker, frozen

from hvsdk_kvm._agent import GuestQuestions
from hvsdk_kvm._disk_facts import block_stats, with_facts
from hvsdk_kvm._errors import code_of
from hvsdk_kvm._parallel import in_parallel
from hvsdk_kvm._session import Session
from hvsdk_kvm._states import domain_state, power_state
from hvsdk_kvm._xml import parse_xml
from hvsdk_kvm._xml_read import config_fields

__all__ = ["ListingReads"]

_STATS = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON
_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
_SAVED = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
_AUTOSTART = libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART

_STATELESS = ("native_id", "uuid", "name", "power_state", "hypervisor", "node", "is_control", "seen_at")
_SIZES = ("vcpus", "memory_bytes")
_make_stateless = domain_info_maker(*_STATELESS)
_make_summary = domain_info_maker(*_STATELESS, *_SIZES)
_CONFIG = FIELD_GROUPS["config"]
_make_config = domain_info_maker(*_STATELESS, *_SIZES, *_CONFIG)
_make_guest = domain_info_maker(*_STATELESS, *_SIZES, *FIELD_GROUPS["guest"])
_make_full = domain_info_maker(*_STATELESS, *_SIZES, *_CONFIG, *FIELD_GROUPS["guest"])

_HYPERVISORS = {"qemu": "kvm", "xen": "xen"}
_DOM0 = "00000000-0000-0000-0000-000000000000"
_IN_FLIGHT = 5
"""A daemon answers so many requests of one connection at once."""

_NO_NAME = re.compile("[\x00\ud800-\udfff]")

Row = tuple[libvirt.virDomain, dict[str, Any]]


class ListingReads(Session):
    """`host_info`, `list_domains`, `get_domain` and `find_domains`."""

    def host_info(self, *, deadline: Deadline) -> HostInfo:
        connection = self.connection
        host = parse_xml(connection.getCapabilities()).find("host")
        version = connection.getVersion()
        return HostInfo(
            product={"qemu": "QEMU", "xen": "Xen", "test": "libvirt test driver"}.get(self.kind, self.kind),
            version=_dotted(version) if version else None,
            name=self.node_name,
            uuid=host.findtext("uuid") if host is not None else None,
            api_version=f"libvirt {_dotted(self.daemon_version)}",
            details=frozen({"kvm.uri": self.uri, "kvm.client": f"libvirt {_dotted(libvirt.getVersion())}"}),
        )

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        rows = self.bulk_rows(libvirt.VIR_DOMAIN_STATS_BLOCK if "config" in include else 0)
        saved = self.uuids_with(_SAVED)
        if not include:
            return self.summaries(rows, saved)
        texts = self._texts(rows, deadline)
        autostart = self.uuids_with(_AUTOSTART) if "config" in include else frozenset()
        roots = self._running(rows, texts) if "guest" in include else {}
        running = {key: domain for domain, _ in rows if (key := domain.UUIDString()) in roots} if roots else {}
        guests = self.guest_questions.ask(running, roots, deadline) if running else {}
        seen_at = datetime.now(UTC)
        return [
            self._record(
                key,
                domain.name(),
                record,
                key in saved,
                include,
                parse_xml(texts[key]) if (root := roots.pop(key, None)) is None else root,
                autostart,
                guests,
                seen_at,
            )
            for domain, record in rows
            if (key := domain.UUIDString()) in texts  # else it went while it was being listed
        ]

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        domain = self.find(native_id)
        key = domain.UUIDString()
        state, reason = domain_state(domain)
        saved = state == libvirt.VIR_DOMAIN_SHUTOFF and bool(domain.hasManagedSaveImage())
        record = {"state.state": state, "state.reason": reason}
        asked_at = time.monotonic()
        text = domain.XMLDesc()
        self.xml_cache.put(key, text, asked_at=asked_at)
        autostart = frozenset((key,)) if "config" in include and _autostart(domain) else frozenset()
        root = parse_xml(text)
        asked = "guest" in include and state == libvirt.VIR_DOMAIN_RUNNING
        guests = self.guest_questions.ask({key: domain}, {key: root}, deadline) if asked else {}
        if "config" in include and root.find("devices/disk") is not None:
            record |= block_stats(self, domain)
        return self._record(key, domain.name(), record, saved, include, root, autostart, guests, datetime.now(UTC))

    def find_domains(self, key: str, *, deadline: Deadline) -> Iterable[str]:
        connection = self.connection
        found: dict[str, None] = {}
        with suppress(ValueError):
            asked = uuid.UUID(key)
            for candidate in dict.fromkeys((str(asked), str(uuid.UUID(bytes_le=asked.bytes)))):
                self._try(found, lambda candidate=candidate: connection.lookupByUUIDString(candidate))
        if _NO_NAME.search(key) is None:  # the binding would not even ask
            self._try(found, lambda: connection.lookupByName(key))
        return list(found)

    # ---- for the other parts -----------------------------------------------------------------------------

    @property
    def hypervisor(self) -> str:
        """What `DomainInfo.hypervisor` says here."""
        return _HYPERVISORS.get(self.kind, self.kind)

    def bulk_rows(self, more: int = 0) -> list[Row]:
        """Return all domains with state, vCPUs, memory and `more`: one call, where the hypervisor has it."""
        try:
            return self.connection.getAllDomainStats(_STATS | more, _NOWAIT)
        except libvirt.libvirtError as exc:
            if code_of(exc) != libvirt.VIR_ERR_NO_SUPPORT:
                raise
        return [row for domain in self.connection.listAllDomains() if (row := _row(domain)) is not None]

    def uuids_with(self, flag: int) -> frozenset[str]:
        """Return the UUIDs of the domains that `listAllDomains` names for a flag."""
        return frozenset(domain.UUIDString() for domain in self.connection.listAllDomains(flag))

    def summaries(self, rows: Iterable[Row], saved: frozenset[str]) -> list[DomainInfo]:
        """Return the summary of every row. This is the path of large listings: no call per domain, no spare work."""
        seen_at, hypervisor, node, xen = datetime.now(UTC), self.hypervisor, self.node_name, self.kind == "xen"
        made = []
        states: dict[tuple[int | None, int | None, bool], Any] = {}
        for domain, record in rows:
            key = domain.UUIDString()
            get = record.get
            told = (get("state.state"), get("state.reason"), key in saved)
            state = states.get(told)
            if state is None:
                state = states[told] = power_state(*told, xen=xen)
            vcpus, memory = get("vcpu.current"), get("balloon.current")
            control = xen and key == _DOM0
            base = (key, key, domain.name(), state, hypervisor, node, control, seen_at)
            if vcpus is None or memory is None:
                made.append(_make_stateless(*base))
            else:
                made.append(_make_summary(*base, vcpus, memory * 1024))
        return made

    def summary_of(self, native_id: str) -> DomainInfo | None:
        """Return one domain's summary, `None` when it is gone."""
        try:
            domain = self.find(native_id)
            row = self._rows_of([domain])
            saved = frozenset((native_id,)) if domain.hasManagedSaveImage() else frozenset()
        except libvirt.libvirtError as exc:
            if code_of(exc) != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            return None
        return self.summaries(row, saved)[0] if row else None

    # ---- inside ------------------------------------------------------------------------------------------

    def _rows_of(self, domains: list[libvirt.virDomain]) -> list[Row]:
        try:
            return self.connection.domainListGetStats(domains, _STATS, _NOWAIT)
        except libvirt.libvirtError as exc:
            if code_of(exc) != libvirt.VIR_ERR_NO_SUPPORT:
                raise
        return [row for domain in domains if (row := _row(domain)) is not None]

    def _texts(self, rows: list[Row], deadline: Deadline) -> dict[str, str]:
        """Return the XML of these domains by UUID, asking only for what is not remembered."""
        cache = self.xml_cache
        cache.follow(self.events)
        domains = {domain.UUIDString(): domain for domain, _ in rows}
        cache.keep_only(set(domains))
        texts = {key: text for key in domains if (text := cache.get(key)) is not None}
        missing = [key for key in domains if key not in texts]

        def fetch(key: str) -> str | None:
            asked_at = time.monotonic()
            try:
                text: str = domains[key].XMLDesc()
            except libvirt.libvirtError as exc:
                if code_of(exc) == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise
            cache.put(key, text, asked_at=asked_at)
            return text

        if self.remote and not self.local:
            answers = in_parallel(fetch, missing, width=_IN_FLIGHT, deadline=deadline)
        else:
            answers = {key: fetch(key) for key in missing}  # without latency, threads gain nothing
        return texts | {key: text for key, text in answers.items() if text is not None}

    def _running(self, rows: Iterable[Row], texts: dict[str, str]) -> dict[str, ET.Element]:
        """Return the XML of those domains whose guests can be asked, read."""
        return {
            key: parse_xml(texts[key])
            for domain, record in rows
            if record.get("state.state") == libvirt.VIR_DOMAIN_RUNNING and (key := domain.UUIDString()) in texts
        }

    @property
    def guest_questions(self) -> GuestQuestions:
        """What asks the guests; it remembers which agents still owe an answer."""
        if self._guest_questions is None:
            self._guest_questions = GuestQuestions(has_leases=not self.embedded, far=not self.local)
        return self._guest_questions

    _guest_questions: GuestQuestions | None = None

    def _record(
        self,
        key: str,
        name: str,
        record: dict[str, Any],
        saved: bool,
        include: frozenset[str],
        root: ET.Element,
        autostart: frozenset[str],
        guests: dict[str, dict[str, Any]],
        seen_at: datetime,
    ) -> DomainInfo:
        xen = self.kind == "xen"
        state = power_state(record.get("state.state"), record.get("state.reason"), saved, xen=xen)
        base = (key, key, name, state, self.hypervisor, self.node_name, xen and key == _DOM0, seen_at)
        config = config_fields(root, autostart=key in autostart)
        running = record.get("state.state") != libvirt.VIR_DOMAIN_SHUTOFF
        config["disks"] = with_facts(self, config["disks"], record, running=running)
        values = [*base, config["vcpus"], config["memory_bytes"]]
        if "config" in include:
            values += [config[field] for field in _CONFIG]
        if "guest" not in include:
            return _make_config(*values) if "config" in include else _make_summary(*values)
        guest = guests.get(key) or GuestQuestions.silent(root)
        values += [guest[field] for field in FIELD_GROUPS["guest"]]
        return _make_full(*values) if "config" in include else _make_guest(*values)

    def _try(self, found: dict[str, None], lookup: Any) -> None:
        try:
            found.setdefault(lookup().UUIDString())
        except libvirt.libvirtError as exc:
            # INVALID_ARG: a name that no domain can have
            if code_of(exc) not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_ARG):
                raise


def _row(domain: libvirt.virDomain) -> Row | None:
    """Return what `getAllDomainStats` would have said, for hypervisors without it; `None` when the domain is gone."""
    try:
        _, _, memory, vcpus, _ = cast("tuple[int, ...]", domain.info())
        state, reason = domain_state(domain)
    except libvirt.libvirtError as exc:
        if code_of(exc) == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    return domain, {
        "state.state": state,
        "state.reason": reason,
        "vcpu.current": vcpus,
        "balloon.current": memory,
    }


def _autostart(domain: libvirt.virDomain) -> bool:
    try:
        return bool(domain.autostart())
    except libvirt.libvirtError as exc:
        if code_of(exc) == libvirt.VIR_ERR_OPERATION_INVALID:  # a transient domain
            return False
        raise


def _dotted(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"
