"""The kit against a URL, as `hvsdk conformance` runs it: the fixture `wishes` is the command's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from hvsdk import errors
from hvsdk.enums import PowerState
from hvsdk.models import DiskSpec, DomainInfo, DomainSpec, NicSpec
from hvsdk.testing.conformance import BackendConformance
from hvsdk.testing.conformance._helpers import Names, reach

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._storage import Volume
    from hvsdk.testing._command import Wishes

__all__ = ["TestBackend"]

READS_ONLY = "this run only reads: give --domain NAME or --create"


class TestBackend(BackendConformance):
    """Reads only, unless a domain to drive is named or making domains is allowed."""

    @pytest.fixture(autouse=True)
    def _may_create(self, wishes: Wishes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "may_create", wishes.create)

    @pytest.fixture
    def host(self, wishes: Wishes) -> Host:
        return wishes.connect()

    @pytest.fixture
    def patience(self, wishes: Wishes) -> float:
        return wishes.patience

    @pytest.fixture
    def guest_obeys(self, wishes: Wishes) -> bool | None:
        return True if wishes.guest_obeys else None

    @pytest.fixture
    def guest_agent(self, wishes: Wishes) -> bool | None:
        return True if wishes.guest_agent else None

    @pytest.fixture
    def image(self, wishes: Wishes) -> str:
        if wishes.image is None:
            pytest.skip("NOT CHECKED: no --image")
        return wishes.image

    @pytest.fixture
    def connect_readonly(self, wishes: Wishes) -> Iterator[Any]:
        if not wishes.create and wishes.domain is None:
            pytest.skip(READS_ONLY)
        with contextlib.ExitStack() as hosts:

            def connect(allow: frozenset[str] = frozenset()) -> Host:
                host = wishes.connect(readonly=True, allow=allow)
                return hosts.enter_context(host)

            yield connect

    @pytest.fixture
    def spec(self, host: Host, wishes: Wishes) -> DomainSpec:
        if wishes.domain is None:
            disk = DiskSpec(source=wishes.disk, copy=True) if wishes.disk else DiskSpec(size="16MiB")
            nics = [NicSpec(network=wishes.network)] if host.supports("attach_nic") else []
            disks = [disk.replace(pool=wishes.pool)] if host.supports("attach_disk") else []
            return DomainSpec(
                name="kit", vcpus=1, memory=wishes.memory, disks=disks, nics=nics, firmware=wishes.firmware
            )
        info = host.domain(wishes.domain).info
        sizes = [disk.capacity_bytes for disk in info.disks if disk.device == "disk"]
        disks = [DiskSpec(size=size) for size in sizes if size]
        return DomainSpec(name="kit", vcpus=info.vcpus or 1, memory=info.memory_bytes or 64 << 20, disks=disks)

    @pytest.fixture
    def domain(
        self, request: pytest.FixtureRequest, host: Host, wishes: Wishes, names: Names, patience: float
    ) -> Iterator[Domain]:
        if wishes.domain is None:
            if not wishes.create:
                pytest.skip(READS_ONLY)
            made: Domain = request.getfixturevalue("make_domain")()
            yield made
            return
        clean: list[Volume] = request.getfixturevalue("clean")
        domain = host.domain(wishes.domain)
        before = domain.info
        reach(domain, PowerState.SHUTOFF, patience=patience)
        off = domain.refresh().info
        yield domain
        restore(host.domain(domain.native_id), off, before, names, patience)
        assert isinstance(clean, list)


def restore(domain: Domain, off: DomainInfo, before: DomainInfo, names: Names, patience: float) -> None:
    """Bring a domain that was named for driving back to what it was, but for disks that have grown."""
    now = domain.info
    if now.fenced is not None and before.fenced is None:
        domain.unfence()
    if domain.host.supports("list_snapshots"):
        for snapshot in reversed(domain.snapshots()):
            if names.owns(snapshot.name):
                snapshot.delete(timeout=patience)
    reach(domain, PowerState.SHUTOFF, patience=patience)
    for disk in domain.info.disks:
        if disk.id not in [known.id for known in off.disks]:
            domain.detach_disk(disk, timeout=patience)
    for nic in domain.info.nics:
        if nic.id not in [known.id for known in off.nics]:
            domain.detach_nic(nic, timeout=patience)
    _relabel(domain, before)
    if before.power_state in (PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED):
        reach(domain, before.power_state, patience=patience)


def _relabel(domain: Domain, before: DomainInfo) -> None:
    now = domain.refresh().info
    if now.name != before.name:
        domain.rename(before.name)
    if now.notes != before.notes:
        domain.set_notes(before.notes)
    if now.tags != before.tags:
        domain.set_tags(before.tags)
    keys = {key for key in now.metadata.keys() | before.metadata.keys() if not key.startswith("hvsdk.")}
    changed = {key: before.metadata.get(key) for key in keys if now.metadata.get(key) != before.metadata.get(key)}
    if changed:
        domain.set_metadata(changed)
    if (now.moved_from, now.superseded_by) != (before.moved_from, before.superseded_by):
        domain.set_lineage(moved_from=before.moved_from, superseded_by=before.superseded_by)
    if now.autostart is not before.autostart and before.autostart is not None:
        domain.set_autostart(before.autostart)
    if (now.vcpus, now.memory_bytes) != (before.vcpus, before.memory_bytes):
        with contextlib.suppress(errors.UnsupportedError):
            domain.reconfigure(vcpus=before.vcpus, memory=before.memory_bytes)
