"""What was done before it could be cancelled is removed, and nothing that was there before."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import hvsdk
from hvsdk import DiskSpec, DomainSpec, errors
from hvsdk.driver import Backend, BackgroundTask, hookimpl
from hvsdk.testing.conformance._helpers import CancelMeanwhile
from hvsdk.testing.fake import control
from hvsdk.testing.fake._driver import FakeDriver


class Unstoppable(FakeDriver):
    """What it makes goes on in the background, and nothing can stop it."""

    def create_domain(self, spec, *, deadline):
        return self._later(lambda: FakeDriver.create_domain(self, spec, deadline=deadline))

    def clone(self, native_id, name, *, linked, deadline):
        return self._later(lambda: FakeDriver.clone(self, native_id, name, linked=linked, deadline=deadline))

    def create_snapshot(self, native_id, name, **how):
        return self._later(lambda: FakeDriver.create_snapshot(self, native_id, name, **how))

    def create_volume(self, pool_id, spec, *, deadline):
        return self._later(lambda: FakeDriver.create_volume(self, pool_id, spec, deadline=deadline))

    def delete(self, native_id, *, disks, deadline):
        return self._later(lambda: FakeDriver.delete(self, native_id, disks=disks, deadline=deadline))

    seconds = 0.05

    def _later(self, work):
        def run():
            time.sleep(self.seconds)
            return work()

        return BackgroundTask(run)


class Plugin:
    @hookimpl
    def hvsdk_backends(self):
        return [Backend(name="unstoppable", schemes=("unstoppable",), driver=f"{__name__}:Unstoppable")]


@pytest.fixture
def host(register) -> Iterator[hvsdk.Host]:
    register(Plugin())
    with hvsdk.connect("unstoppable://demo", timeout=10.0) as host:
        yield host


def volumes(host) -> set[str]:
    return {volume.name for pool in host.storage_pools() for volume in pool.volumes()}


NEW = DomainSpec(name="new", memory="1GiB", disks=[DiskSpec(size="1GiB")])
MAKING = {
    "create_domain": lambda host, **how: host.create_domain(NEW, **how),
    "clone": lambda host, **how: host.domain("web-1").clone("new", **how),
    "create_snapshot": lambda host, **how: host.domain("web-1").create_snapshot("new", **how),
    "create_volume": lambda host, **how: host.storage_pool("default").create_volume(name="new", size="1GiB", **how),
}


def world(host) -> tuple[object, ...]:
    return {d.name for d in host.domains()}, volumes(host), [s.name for s in host.domain("web-1").snapshots()]


@pytest.mark.parametrize("verb", MAKING)
def test_what_was_done_before_it_could_be_cancelled_is_removed(host, verb):
    before = world(host)
    with pytest.raises(
        errors.CancelledError, match="done before it could be cancelled, and what it had made is removed"
    ):
        MAKING[verb](host, cancel=CancelMeanwhile())
    assert world(host) == before
    MAKING[verb](host)


def test_what_was_done_too_late_is_removed(host, monkeypatch):
    before = world(host)
    monkeypatch.setattr(Unstoppable, "seconds", 2.0)
    with pytest.raises(errors.OperationTimeoutError, match="what it had made is removed"):
        MAKING["clone"](host, timeout=1.0)
    assert world(host) == before


def test_what_cannot_be_removed_is_told(host):
    control(host).fail("delete_volume", "PERMISSION_DENIED")
    with pytest.raises(errors.CancelledError, match="removing what it had made ended with: "):
        MAKING["create_volume"](host, cancel=CancelMeanwhile())
    assert "new" in volumes(host)


def test_a_volume_that_was_there_before_stays(host):
    theirs = host.storage_pool("default").create_volume(name="theirs", size="1GiB")
    spec = DomainSpec(name="new", memory="1GiB", disks=[DiskSpec(source=theirs.path)])
    with pytest.raises(errors.CancelledError, match="is removed"):
        host.create_domain(spec, cancel=CancelMeanwhile())
    assert host.domains(name="new") == []
    assert "theirs" in volumes(host)


def test_a_domain_of_new_and_old_volumes_stays_whole_and_the_error_says_so(host):
    theirs = host.storage_pool("default").create_volume(name="theirs", size="1GiB")
    spec = DomainSpec(name="new", memory="1GiB", disks=[DiskSpec(source=theirs.path), DiskSpec(size="1GiB")])
    with pytest.raises(errors.CancelledError, match=r"it had been done before it could be cancelled$"):
        host.create_domain(spec, cancel=CancelMeanwhile())
    assert len(host.domain("new").disks) == 2
