"""Inventory: all domains and what they refer to in one bulk read, however many there are."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from hvsdk.driver import BackgroundTask, Deadline, DomainInfo, Target, errors, finish
from pyVmomi import vim

from hvsdk_vmware._around import AROUND_PATHS, HOST_PATHS, add_to
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fenced import FencedReads, template_ids
from hvsdk_vmware._fields import Found, Sharing, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._places import from_domain
from hvsdk_vmware._records import Around, domain_paths, records, summaries
from hvsdk_vmware._tags import TagReads

__all__ = ["ListingReads"]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NATIVE_ID = re.compile(r"(vm-)?\d{1,18}", re.ASCII)
_VM = "VirtualMachine"


class ListingReads(TagReads, FencedReads):
    """`list_domains`, `get_domain` and `find_domains`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._hosts: dict[str, str] = {}
        self._host_of: dict[str, str] = {}

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all domains: one call for the summary, two with more, and one for each further page.

        Templates that it has not seen before take one more: those that a fence made are domains.

        The first listing takes one more for each view that it makes.

        What a page holds is made into records before the next one is read, so that few pages are in memory.
        """
        return self._list_full(include, deadline) if include else self._list_summaries(deadline)

    def _list_summaries(self, deadline: Deadline) -> list[DomainInfo]:
        around, found = Around(), dict[str, Found]()
        for page in self.read_view(self._paths(frozenset()), deadline=deadline):
            for one in page:
                if one.kind == _VM:
                    found[one.id] = one
                else:
                    add_to(around, one)
        self._hosts = around.hosts
        self._host_of = {one.id: text(one.values, "runtime.host") for one in found.values()}
        fenced = self.fenced_among(template_ids(found.values()), deadline)
        return summaries(found.values(), around.hosts, fenced, datetime.now(UTC))

    def _list_full(self, include: frozenset[str], deadline: Deadline) -> list[DomainInfo]:
        around, sharing = Around(), Sharing()
        wish = self._paths(include)
        domain_wish: dict[type, Iterable[str]] = {vim.VirtualMachine: wish.pop(vim.VirtualMachine)}
        for page in self.read_view(wish, deadline=deadline):
            for one in page:
                add_to(around, one)
        made: dict[str, DomainInfo] = {}
        host_of: dict[str, str] = {}
        for page in self.read_view(domain_wish, deadline=deadline):
            new = [one for one in page if one.id not in made]
            host_of.update((one.id, text(one.values, "runtime.host")) for one in new)
            if "config" in include:
                around.tags, around.no_tags = self.read_tags_of([one.id for one in new], deadline)
            else:
                around.fenced = self.fenced_among(template_ids(new), deadline)
            made.update((info.native_id, info) for info in records(new, include, around, datetime.now(UTC), sharing))
        self._hosts, self._host_of = around.hosts, host_of
        return list(made.values())

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one domain and what it refers to: one call, and one more when it has moved to another host.

        A vCenter is asked for the tags at the same time.

        A node that was renamed since the last listing may have its former name in a summary.
        """
        around = Around(hosts=dict(self._hosts))
        asked = "config" in include and self.is_vcenter
        tags = BackgroundTask(lambda: self.read_tags_of([native_id], deadline)) if asked else None
        one = self._read_one(native_id, include, around, deadline)
        host = text(one.values, "runtime.host")
        if host and (host not in around.hosts or ("config" in include and host != self._host_of.get(native_id))):
            for found in self.read_all(
                [object_spec(vim.HostSystem(host, self.stub))], {vim.HostSystem: HOST_PATHS}, deadline=deadline
            ):
                add_to(around, found)
            self._hosts = {**self._hosts, **around.hosts}
        self._host_of[native_id] = host
        if tags is not None:
            around.tags, around.no_tags = finish(tags, deadline.remaining())
        if "config" not in include:
            around.fenced = self.fenced_among(template_ids([one]), deadline)
        (info,) = records([one], include, around, datetime.now(UTC), Sharing())
        return info

    def find_domains(self, key: str, *, deadline: Deadline) -> Iterable[str]:
        """Return the ids of the domains with this UUID, vSphere's own or the one that the guest sees, or this name."""
        found: dict[str, None] = {}
        if _UUID.fullmatch(key):
            asked = uuid.UUID(key)
            for candidate in dict.fromkeys((str(asked), str(uuid.UUID(bytes_le=asked.bytes)))):
                for instance in (True, False):
                    found.update(dict.fromkeys(self.with_uuid(candidate, instance, deadline)))
        if not found:
            found.update(dict.fromkeys(self._with_name(key, deadline)))
        return list(found)

    @staticmethod
    def could_be_native_id(key: str) -> bool:
        return _NATIVE_ID.fullmatch(key) is not None

    # ---- inside ------------------------------------------------------------------------------------------

    def _paths(self, include: frozenset[str]) -> dict[type, Iterable[str]]:
        paths: dict[type, Iterable[str]] = {vim.VirtualMachine: domain_paths(include, created=self.speaks("6.7"))}
        return paths | (dict(AROUND_PATHS) if "config" in include else {vim.HostSystem: ("name",)})

    def _read_one(self, native_id: str, include: frozenset[str], around: Around, deadline: Deadline) -> Found:
        """Return a domain's properties, and note what it refers to.

        Raises:
            DomainNotFoundError: There is none.
        """
        objects = [object_spec(self.vm(native_id), from_domain() if "config" in include else ())]
        host = self._host_of.get(native_id)
        if host and "config" in include:
            objects.append(object_spec(vim.HostSystem(host, self.stub)))
        one = None
        for found in self.read_all(objects, self._paths(include), deadline=deadline):
            if found.kind != _VM:
                add_to(around, found)
            elif found.id == native_id:
                one = found
        if one is None:
            self._raise_missing(native_id, deadline)
            raise errors.DomainNotFoundError(f"the domain {native_id} is not shown to this user")
        return one

    def _raise_missing(self, native_id: str, deadline: Deadline) -> None:
        """Let the server say that there is no such domain, if so: bulk reads leave out what is not there."""
        wish: dict[type, Iterable[str]] = {vim.VirtualMachine: ("name",)}
        for _ in self.read([object_spec(self.vm(native_id))], wish, deadline=deadline, leave_out_missing=False):
            return

    def with_uuid(self, candidate: str, instance: bool, deadline: Deadline) -> list[str]:
        """Return the domains with a UUID: vSphere keeps its own unique, those that guests see are copied with them."""
        index = self.content.searchIndex
        assert index is not None, "every server has one"
        found = self.call(index.FindAllByUuid, None, candidate, True, instance, deadline=deadline)
        return [str(mo._moId) for mo in found or () if isinstance(mo, vim.VirtualMachine)]

    def _with_name(self, name: str, deadline: Deadline) -> list[str]:
        """Return the domains of a name; the server has no index of them but by folder, so that their names are read."""
        wish: dict[type, Iterable[str]] = {vim.VirtualMachine: ("name",)}
        found = [one for page in self.read_view(wish, deadline=deadline) for one in page]
        return list(dict.fromkeys(one.id for one in found if shown(text(one.values, "name")) == name))
