"""What one watch knows of the domains, kept true by the changes that vSphere tells: texts, not the server's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any
from xml.etree import ElementTree

import attrs
from hvsdk.driver import Change, DomainInfo, EventKind
from pyVmomi import vim

from hvsdk_vmware._fenced import template_ids
from hvsdk_vmware._fields import NS, Element, Found, child, children
from hvsdk_vmware._names import shown
from hvsdk_vmware._records import domain_paths, summaries

__all__ = ["WATCHED", "Subscription", "Update", "updates_in"]

_SUMMARY = tuple(domain_paths(frozenset(), created=False))
_BESIDE = (
    "config.changeVersion",
    "parent",
    "guest.ipAddress",
    "guest.hostName",
    "guest.toolsRunningStatus",
    "runtime.question",
    "snapshot.currentSnapshot",
)
"""What people want to hear of, and the summary does not show; the first changes with all that is configured."""
_INSIDE = tuple(path + "." for path in _BESIDE)
_PATHS = frozenset((*_SUMMARY, *_BESIDE))
_HOST = "runtime.host"
WATCHED: Mapping[type, Iterable[str]] = {vim.VirtualMachine: (*_SUMMARY, *_BESIDE), vim.HostSystem: ("name",)}
"""The properties that are waited for."""
_DOMAIN, _NODE = "VirtualMachine", "HostSystem"


@attrs.frozen
class Update:
    """What the server tells of one object."""

    kind: str
    """Of the object: `VirtualMachine` or `HostSystem`."""
    id: str
    event: str
    """`enter`, `modify` or `leave`."""
    values: dict[str, Element | None]
    """What is new by path, `None` for what is not set any more."""


def updates_in(answer: Element) -> list[Update]:
    """Return what an `UpdateSet` tells, the oldest first."""
    return [_update(one) for part in children(answer, "filterSet") for one in children(part, "objectSet")]


def _update(told: Element) -> Update:
    mo = told.find(NS + "obj")
    values: dict[str, Element | None] = {}
    for change in children(told, "changeSet"):
        values[child(change, "name")] = change.find(NS + "val") if child(change, "op") in ("assign", "add") else None
    kind, key = (mo.get("type", ""), mo.text or "") if mo is not None else ("", "")
    return Update(kind, key, child(told, "kind"), values)


@attrs.define(eq=False)
class Subscription:
    """Where one watch is.

    Attributes:
        collector: The server's, which nobody else waits with.
        generation: Of the session that it goes with.
        version: What the server gave with the last changes; everything newer has not been told.
        waiting: Whether a call waits at the server now.
        fresh: Whether nobody has taken the listing that it began with.
        fenced: Ids of those templates that a fence made such.
    """

    collector: Any
    generation: int
    version: str = ""
    waiting: bool = False
    fresh: bool = True
    fenced: frozenset[str] = frozenset()
    _domains: dict[str, dict[str, str]] = attrs.field(factory=dict)
    _hosts: dict[str, str] = attrs.field(factory=dict)
    _touched: dict[str, bool] = attrs.field(factory=dict)

    def listing(self) -> list[DomainInfo]:
        """Return the summary of all domains as they are known."""
        return summaries(map(self._found, self._domains), self._hosts, self.fenced, datetime.now(UTC))

    def see(self, updates: Iterable[Update]) -> None:
        """Take note of what the server tells."""
        for update in updates:
            if update.kind == _NODE:
                self._see_host(update)
            elif update.kind == _DOMAIN:
                self._see_domain(update)

    def touched_templates(self) -> list[str]:
        """Return the ids of the templates among those that have changed since the last `changes`."""
        return template_ids(self._found(key) for key in self._touched if key in self._domains)

    def changes(self) -> list[Change]:
        """Return what has changed since the last time, each domain once, as it is now."""
        touched, self._touched = self._touched, {}
        there = [key for key in touched if key in self._domains]
        now = summaries(map(self._found, there), self._hosts, self.fenced, datetime.now(UTC))
        infos = {info.native_id: info for info in now}
        return [
            Change(native_id=key, info=infos.get(key), kind=EventKind.CHANGED if beside and key in infos else None)
            for key, beside in touched.items()
        ]

    # ---- inside ------------------------------------------------------------------------------------------

    def _see_host(self, update: Update) -> None:
        """Take note of a host; with another name all its domains have changed."""
        before = self._hosts.get(update.id)
        if update.event == "leave":
            self._hosts.pop(update.id, None)
        elif (name := update.values.get("name")) is not None:
            self._hosts[update.id] = intern(shown(name.text or ""))
        if self._hosts.get(update.id) != before:
            on_it = (key for key, values in self._domains.items() if values.get(_HOST) == update.id)
            self._touched.update({key: self._touched.get(key, False) for key in on_it})

    def _see_domain(self, update: Update) -> None:
        """Take note of a domain, if there is something new: servers tell again what is known."""
        before = self._domains.get(update.id)
        if update.event == "leave":
            if self._domains.pop(update.id, None) is not None:
                self._touched[update.id] = False
            return
        now = dict(before) if before is not None and update.event != "enter" else {}
        inside = _apply(now, update.values)
        self._domains[update.id] = now
        if now != before or inside:
            beside = before is not None and (inside or any(before.get(path) != now.get(path) for path in _BESIDE))
            self._touched[update.id] = self._touched.get(update.id, False) or beside

    def _found(self, key: str) -> Found:
        values: dict[str, Element] = {}
        for path, told in self._domains[key].items():
            values[path] = element = Element(path)
            element.text = told
        return Found(_DOMAIN, key, values)


def _apply(known: dict[str, str], values: Mapping[str, Element | None]) -> bool:
    """Put what is new to what is known, and return whether a part of something watched has changed that is told by itself."""
    inside = False
    for name, value in values.items():
        told = _told(value)
        if name in _PATHS and told:
            known[name] = told
        elif name in _PATHS:
            known.pop(name, None)
        elif value is None:  # something that holds what is watched is not set any more
            for path in [path for path in known if path.startswith(name + ".")]:
                del known[path]
        else:
            inside = inside or name.startswith(_INSIDE)
    return inside


def _told(value: Element | None) -> str:
    """Return a value as a text; one of several parts as all of them."""
    if value is None:
        return ""
    return ElementTree.tostring(value, "unicode") if len(value) else intern(value.text or "")
