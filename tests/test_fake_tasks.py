"""Long verbs of the fake as tasks: progress, cancelling, failing late, and that nothing is left over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

import hvsdk
from hvsdk import errors
from hvsdk.testing.fake import control

SPEC = hvsdk.DomainSpec(name="new", memory="1GiB", disks=[hvsdk.DiskSpec(size="1GiB"), hvsdk.DiskSpec(size="2GiB")])


@pytest.fixture
def host() -> Iterator[hvsdk.Host]:
    with hvsdk.connect("fake://demo?tasks=1&task_steps=4", timeout=10.0) as host:
        yield host


def volumes(host: hvsdk.Host) -> set[tuple[str, str]]:
    return {(pool.name, volume.name) for pool in host.storage_pools() for volume in pool.volumes()}


def names(host: hvsdk.Host) -> list[str]:
    return [domain.name for domain in host.domains()]


MAKING: dict[str, Callable[..., object]] = {
    "create_domain": lambda host, **more: host.create_domain(SPEC, **more),
    "clone": lambda host, **more: host.domain("web-1").clone("new", **more),
    "create_volume": lambda host, **more: host.storage_pools()[0].create_volume(name="new", size="1GiB"),
    "create_snapshot": lambda host, **more: host.domain("web-1").create_snapshot("new", **more),
}


@pytest.mark.parametrize("verb", MAKING)
def test_a_task_that_fails_late_leaves_nothing(host, verb):
    before = names(host), volumes(host), host.domain("web-1").snapshots()
    control(host).fail(verb, "task-fails-late")
    with pytest.raises(errors.OperationFailedError, match="last step"):
        MAKING[verb](host)
    assert (names(host), volumes(host), host.domain("web-1").snapshots()) == before
    MAKING[verb](host)


@pytest.mark.parametrize("verb", ["create_domain", "clone", "create_snapshot"])
def test_a_cancelled_task_leaves_nothing(host, verb):
    before = names(host), volumes(host), host.domain("web-1").snapshots()
    control(host).fail(verb, "task-stalls")
    cancel = threading.Event()
    with pytest.raises(errors.CancelledError):
        MAKING[verb](host, cancel=cancel, progress=lambda share: cancel.set())
    assert (names(host), volumes(host), host.domain("web-1").snapshots()) == before


def test_progress_is_told_step_by_step(host):
    shares: list[float | None] = []
    host.create_domain(SPEC, progress=shares.append)
    assert [share for share in shares if share is not None] == sorted(share for share in shares if share is not None)
    assert 0.25 in shares
    assert control(host).calls["poll"] == 4


def test_a_domain_is_changing_while_its_task_is_under_way(host):
    web = host.domain("web-1")
    seen: list[str] = []
    web.suspend()
    assert web.power_state == "suspended"
    web.resume()
    web.power_off()
    web.delete(progress=lambda share: seen.append(host.domains(name="web-1")[0].power_state) if share != 1.0 else None)
    assert set(seen) == {"changing"}


@pytest.mark.parametrize("verb", ["suspend", "delete", "revert_snapshot", "delete_snapshot"])
def test_a_changing_task_that_fails_late_leaves_the_domain_as_it_was(host, verb):
    web = host.domain("web-1")
    snapshot = web.create_snapshot("s")
    if verb == "delete":
        web.power_off()
    before = web.power_state
    control(host).fail(verb, "task-fails-late")
    with pytest.raises(errors.OperationFailedError):
        {"suspend": web.suspend, "delete": web.delete, "revert_snapshot": snapshot.revert}.get(verb, snapshot.delete)()
    assert web.refresh().power_state == before
    assert [one.name for one in web.snapshots()] == ["s"]


def test_a_task_can_be_forced_on_one_call_without_the_option():
    with hvsdk.connect("fake://demo") as host:
        control(host).fail("clone", "task-fails-late")
        with pytest.raises(errors.OperationFailedError):
            host.domain("web-1").clone("new")
        assert "new" not in names(host)


def test_what_the_product_refuses_is_refused_by_the_call_itself(host):
    fake = control(host)
    with pytest.raises(errors.InsufficientResourcesError):
        host.create_domain(hvsdk.DomainSpec(name="new", memory="1GiB", disks=[hvsdk.DiskSpec(size="1EiB")]))
    assert "poll" not in fake.calls


def test_a_task_survives_an_expired_session(host):
    fake = control(host)
    fake.fail("poll", "expired-session", after=1)
    host.create_domain(SPEC)
    assert "new" in names(host)


@pytest.mark.parametrize("url", ["fake://demo", "fake://demo?tasks=1"])
def test_what_was_cancelled_before_is_not_begun(url):
    cancel = threading.Event()
    cancel.set()
    with hvsdk.connect(url) as host:
        domain = host.domain("web-1")
        for ask in (
            lambda: domain.create_snapshot("s", cancel=cancel),
            lambda: domain.clone("c", cancel=cancel),
            lambda: host.create_domain(hvsdk.DomainSpec(name="n", memory="1GiB"), cancel=cancel),
        ):
            with pytest.raises(errors.CancelledError, match="before it was begun"):
                ask()
        assert not domain.snapshots()
        assert not [one.name for one in host.domains() if one.name in ("c", "n")]


def test_what_became_of_a_cancelled_task_is_said_once():
    cancel = threading.Event()
    with hvsdk.connect("fake://demo?tasks=1") as host, pytest.raises(errors.CancelledError) as caught:
        host.domain("web-1").create_snapshot("s", cancel=cancel, progress=lambda share: cancel.set())
    assert caught.value.message == "create_snapshot of domain 'web-1' was cancelled; what it had made is removed"
