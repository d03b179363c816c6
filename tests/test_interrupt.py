"""Ctrl-C, cancelling and running out of time while something is being made."""

from __future__ import annotations

import signal
import threading

import pytest

import hvsdk
from hvsdk import DiskSpec, DomainSpec, errors
from hvsdk.testing.fake import control

SPEC = DomainSpec(name="new", memory="1GiB", disks=[DiskSpec(size="1GiB")])


@pytest.fixture
def host():
    """A host whose long verbs never get done by themselves."""
    with hvsdk.connect("fake://demo?domains=2") as host:
        for verb in ("create_domain", "clone"):
            control(host).fail(verb, "task-stalls")
        yield host


def volumes(host) -> set[str]:
    return {volume.name for pool in host.storage_pools() for volume in pool.volumes()}


class After:
    """A progress callback that does something at its n-th call."""

    def __init__(self, count, action):
        self.left, self.action = count, action

    def __call__(self, share):
        self.left -= 1
        if self.left == 0:
            self.action()


def test_ctrl_c_while_a_domain_is_made_undoes_it(host):
    before = volumes(host)
    with pytest.raises(KeyboardInterrupt) as caught:
        host.create_domain(SPEC, progress=After(3, lambda: signal.raise_signal(signal.SIGINT)))
    assert "removed" in "".join(caught.value.__notes__)
    assert [d.name for d in host.domains(name="new")] == []
    assert volumes(host) == before


def test_a_cancelled_creation_is_undone_and_says_so(host):
    before = volumes(host)
    cancel = threading.Event()
    with pytest.raises(errors.CancelledError, match="removed"):
        host.create_domain(SPEC, progress=After(3, cancel.set), cancel=cancel)
    assert host.domains(name="new") == []
    assert volumes(host) == before


def test_a_creation_out_of_time_is_undone(host):
    before = volumes(host)
    with pytest.raises(errors.OperationTimeoutError, match="removed"):
        host.create_domain(SPEC, timeout=0.3)
    assert host.domains(name="new") == []
    assert volumes(host) == before


def test_a_progress_callback_that_fails_does_not_leave_half_a_domain(host):
    def fail() -> None:
        raise RuntimeError("the progress bar broke")

    with pytest.raises(RuntimeError, match="progress bar"):
        host.create_domain(SPEC, progress=After(2, fail))
    assert host.domains(name="new") == []


def test_ctrl_c_during_the_call_that_makes_a_domain_waits_for_its_answer_and_undoes_it():
    with hvsdk.connect("fake://demo?domains=2") as host:
        before = volumes(host)
        control(host).fail("create_domain", "slow", seconds=0.5)
        timer = threading.Timer(0.15, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            host.create_domain(SPEC)
        timer.join()
        assert host.domains(name="new") == []
        assert volumes(host) == before


def test_ctrl_c_during_a_clone_leaves_only_the_original(host):
    original = host.domains(state="shutoff")[0]
    before = volumes(host)
    with pytest.raises(KeyboardInterrupt):
        original.clone("copy", progress=After(2, lambda: signal.raise_signal(signal.SIGINT)))
    assert host.domains(name="copy") == []
    assert volumes(host) == before


def test_after_ctrl_c_the_host_goes_on():
    with hvsdk.connect("fake://demo?domains=2") as host:
        control(host).fail("list_domains", "slow", seconds=0.5)
        timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            host.domains()
        timer.join()
        assert len(host.domains()) == 2
