"""What the core adds to a driver: marks instead of fences, labels kept, hot plug refused, hooks asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import hvsdk
from hvsdk import Capability, DiskSpec, NicSpec, PowerState, errors
from hvsdk.driver import Backend, Driver, hookimpl
from hvsdk.testing.fake import control
from hvsdk.testing.fake._driver import FakeDriver


class Lesser(FakeDriver):
    """A fake that can neither fence nor plug."""

    variants = FakeDriver.variants - {
        Capability.HOTPLUG_DISK,
        Capability.HOTPLUG_NIC,
        Capability.RESIZE_DISK_RUNNING,
        Capability.GUEST_INFO,
    }
    fence = Driver.fence
    unfence = Driver.unfence


class Weakening(FakeDriver):
    """A fake that makes less of a snapshot than was asked for."""

    def create_snapshot(self, native_id, name, *, memory, quiesce, description, deadline):
        return super().create_snapshot(
            native_id, name, memory=False, quiesce=False, description=description, deadline=deadline
        )


class Clinging(Weakening):
    """It does not let such a snapshot go either."""

    def delete_snapshot(self, native_id, snapshot_id, *, children, deadline):
        raise errors.OperationFailedError("no")


class Toolless(FakeDriver):
    """A fake whose product does not name the domain when its guest has no tools."""

    def shutdown(self, native_id, *, deadline):
        raise errors.GuestAgentError("no tools")

    reboot = shutdown


class LesserPlugin:
    @hookimpl
    def hvsdk_backends(self):
        classes = {"lesser": Lesser, "weakening": Weakening, "clinging": Clinging, "toolless": Toolless}
        return [
            Backend(name=name, schemes=(name,), driver=f"{__name__}:{driver.__name__}")
            for name, driver in classes.items()
        ]


class Recorder:
    """A plugin that writes down what it is asked and told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.veto: str | None = None

    @hookimpl
    def hvsdk_before_operation(self, operation):
        self.asked.append(operation.verb)
        if operation.verb == self.veto:
            raise errors.VetoError("not today")

    @hookimpl
    def hvsdk_after_operation(self, operation, outcome):
        self.told.append((operation.verb, outcome.status))


@pytest.fixture
def lesser(register) -> Iterator[hvsdk.Host]:
    register(LesserPlugin())
    with hvsdk.connect("lesser://demo") as host:
        yield host


@pytest.fixture
def host() -> Iterator[hvsdk.Host]:
    with hvsdk.connect("fake://demo") as host:
        yield host


def test_without_a_fence_of_the_product_a_mark_is_left_that_hvsdk_obeys(lesser):
    web = lesser.domains(state="shutoff", full=True)[0]
    web.set_autostart(True)
    assert Capability.FENCE not in lesser.capabilities
    assert Capability.FENCE_MARK in lesser.capabilities
    web.fence("moved to kvm-3")
    assert web.fenced.reason == "moved to kvm-3"
    assert web.autostart is False
    assert all(nic.link_up is False for nic in web.nics)
    assert "moved to kvm-3" in web.why_not("start")
    for verb in ("start", "resume"):
        with pytest.raises(errors.PermissionDeniedError, match="moved to kvm-3"):
            getattr(lesser.domain(web.name), verb)()
    web.unfence()
    assert web.fenced is None
    assert web.autostart is True
    assert all(nic.link_up for nic in web.nics)
    web.start()


def test_a_marked_domain_is_not_reverted(lesser):
    web = lesser.domains(state="shutoff")[0]
    snapshot = web.create_snapshot("before")
    web.fence("moved")
    with pytest.raises(errors.PermissionDeniedError):
        snapshot.revert()


def test_a_mark_that_could_not_be_finished_is_taken_back(lesser):
    web = lesser.domains(state="shutoff", full=True)[0]
    web.set_autostart(True)
    control(lesser).fail("set_autostart", "NO_MEMORY")
    with pytest.raises(errors.InsufficientResourcesError):
        web.fence("moved")
    web.refresh()
    assert web.fenced is None
    assert web.autostart is True
    assert all(nic.link_up for nic in web.nics)


def test_fencing_twice_keeps_what_was_recorded_first(lesser):
    web = lesser.domains(state="shutoff", full=True)[0]
    web.set_autostart(True)
    web.fence("first")
    web.fence("second")
    assert web.fenced.reason == "first"
    assert web.fenced.autostart is True


def test_a_blank_reason_is_refused(host):
    with pytest.raises(errors.InvalidSpecError):
        host.domain("web-1").fence("  ")


@pytest.mark.parametrize(
    "plug",
    [
        lambda d: d.attach_disk(DiskSpec(size="1GiB")),
        lambda d: d.detach_disk(d.disks[0]),
        lambda d: d.attach_nic(NicSpec()),
        lambda d: d.detach_nic(d.nics[0]),
        lambda d: d.resize_disk(d.disks[0], "400GiB"),
    ],
)
def test_a_product_without_hot_plug_asks_for_a_shutdown_first(lesser, plug):
    web = lesser.domains(state="running", full=True)[0]
    with pytest.raises(errors.PowerStateError, match="shut it down first"):
        plug(web)
    web.power_off()
    plug(web)


@pytest.mark.parametrize("verb", ["attach_disk", "detach_disk", "attach_nic", "detach_nic", "resize_disk"])
def test_why_not_knows_what_cannot_be_done_to_a_running_domain(lesser, verb):
    web = lesser.domains(state="running")[0]
    assert web.why_not(verb).startswith("it is running: ")
    web.pause()
    assert web.why_not(verb).startswith("it is paused: ")
    web.power_off()
    assert web.why_not(verb) is None


@pytest.mark.parametrize(
    ("bring", "what_to_do"),
    [
        (lambda web: web.pause(), "it is paused: unpause() it first, or make a snapshot without memory"),
        (lambda web: web.power_off(), "it is shutoff: start() it first, or make a snapshot without memory"),
        (lambda web: web.suspend(), "it is suspended: resume() it first"),
    ],
)
def test_why_not_of_a_snapshot_with_memory_says_what_to_do(host, bring, what_to_do):
    web = host.domain("web-1")
    assert web.why_not("snapshot_memory") is None
    bring(web)
    assert web.why_not("snapshot_memory") == what_to_do
    with pytest.raises(errors.PowerStateError) as caught:
        web.create_snapshot("no", memory=True)
    assert caught.value.hint in what_to_do


@pytest.mark.parametrize(("verb", "next_step"), [("shutdown", "then='power_off'"), ("reboot", "reset()")])
def test_a_guest_without_an_agent_is_named_with_the_next_step(register, verb, next_step):
    register(LesserPlugin())
    with hvsdk.connect("toolless://demo") as host:
        ask = getattr(host.domain("web-1"), verb)
        with pytest.raises(errors.GuestAgentError, match=f"^{verb} of domain 'web-1': no tools") as caught:
            ask()
    assert next_step in caught.value.hint


def test_guest_facts_that_a_backend_cannot_tell_are_none_and_not_missing(lesser):
    web = lesser.domains(state="running", full=True)[0]
    assert web.addresses == ()
    assert web.agent is None
    assert web.refresh().guest_os is None


def test_verbs_load_the_config_and_leave_the_guest_not_loaded(host):
    web = host.domain("web-1")
    assert web.info.has("guest")
    web.reboot()
    assert web.info.has("config")
    with pytest.raises(errors.NotLoadedError, match="refresh"):
        _ = web.addresses


def test_a_revert_keeps_what_is_written_on_the_domain(host):
    db = host.domain("db-1")
    db.set_notes("old")
    snapshot = db.create_snapshot("before")
    db.rename("db-new")
    db.set_notes("new")
    db.set_tags(["a", "b"])
    db.set_metadata({"team.owner": "x", "team.gone": None})
    db.set_lineage(moved_from=hvsdk.Lineage(uuid="u", hypervisor="xen"))
    snapshot.revert()
    assert (db.name, db.notes, db.tags) == ("db-new", "new", {"a", "b"})
    assert db.metadata["team.owner"] == "x"
    assert db.moved_from.hypervisor == "xen"


def test_two_domains_of_one_name_are_told_apart(host):
    first = host.create_domain(hvsdk.DomainSpec(name="twin", memory="1GiB"))
    second = host.create_domain(hvsdk.DomainSpec(name="twin", memory="1GiB"))
    with pytest.raises(errors.AmbiguousNameError, match=first.uuid) as caught:
        host.domain("twin")
    assert {uuid for _, uuid, _ in caught.value.candidates} == {first.uuid, second.uuid}
    assert host.domain(second.uuid) == second


def test_hooks_are_asked_before_and_told_after(host, register):
    recorder = register(Recorder())
    web = host.domain("web-1")
    web.pause()
    assert recorder.asked == ["pause"]
    assert recorder.told == [("pause", "ok")]
    web.unpause()
    host.domains()
    assert recorder.asked == ["pause", "unpause"]


def test_shutdown_that_may_cut_the_power_asks_for_that_too_before_it_starts(host, register):
    recorder = register(Recorder())
    recorder.veto = "power_off"
    web = host.domain("web-1")
    with pytest.raises(errors.VetoError, match="not today"):
        web.shutdown(then="power_off")
    assert recorder.asked == ["shutdown", "power_off"]
    assert web.refresh().power_state is PowerState.RUNNING
    web.shutdown()
    assert web.power_state is PowerState.SHUTOFF


def test_handing_out_the_native_object_is_told_to_hooks(host, register):
    recorder = register(Recorder())
    host.native()
    assert recorder.asked == ["native"]


def test_failures_are_told_with_their_outcome(host, register):
    recorder = register(Recorder())
    control(host).fail("start", "drop-before")
    with pytest.raises(errors.OutcomeUnknownError):
        host.domain("db-1").start()
    assert recorder.told[-1] == ("start", "unknown")


def test_shutdown_repeats_its_request_until_a_booting_guest_hears_it():
    with hvsdk.connect("fake://demo?boot_seconds=1&domains=3") as host:
        db = host.domains(state="shutoff")[0]
        db.start()
        before = control(host).calls.get("shutdown", 0)
        db.shutdown(timeout=30)
        assert db.power_state is PowerState.SHUTOFF
        assert control(host).calls["shutdown"] - before >= 2


def test_shutdown_of_a_guest_that_ignores_it_times_out_and_cuts_only_when_asked(host):
    web = host.domain("web-1")
    control(host).guest(web, shutdown="ignores")
    with pytest.raises(errors.OperationTimeoutError) as caught:
        web.shutdown(timeout=0.3)
    assert caught.value.last_seen is PowerState.RUNNING
    assert web.refresh().power_state is PowerState.RUNNING
    web.shutdown(timeout=0.3, then="power_off")
    assert web.power_state is PowerState.SHUTOFF


def test_a_request_is_not_repeated_when_its_answer_would_come_too_late(host):
    web = host.domain("web-1")
    control(host).guest(web, shutdown="ignores")
    control(host).latency = 0.2
    with pytest.raises(errors.OperationTimeoutError, match="is still running") as caught:
        web.shutdown(timeout=2.1)
    assert caught.value.last_seen is PowerState.RUNNING
    assert control(host).calls["shutdown"] == 1


def test_unknown_verbs_of_why_not_are_named(host):
    with pytest.raises(errors.InvalidSpecError, match="shutdown"):
        host.domain("web-1").why_not("destroy")


def test_fields_of_a_handle_cannot_be_set(host):
    web = host.domain("web-1")
    with pytest.raises(AttributeError, match="verbs"):
        web.name = "x"


@pytest.mark.parametrize(("kind", "lacks"), [("memory", "memory"), ("quiesce", "file systems at rest")])
def test_a_snapshot_that_is_less_than_was_asked_for_is_removed_again(register, kind, lacks):
    register(LesserPlugin())
    with hvsdk.connect("weakening://demo") as host:
        domain = host.domains(state="running")[0]
        with pytest.raises(errors.OperationFailedError, match=f"without {lacks}.*it is removed again"):
            domain.create_snapshot("s", **{kind: True})
        assert domain.snapshots() == []
        assert domain.create_snapshot("s").has_memory is False


def test_a_snapshot_that_is_too_little_and_stays_is_named(register):
    register(LesserPlugin())
    with hvsdk.connect("clinging://demo") as host:
        domain = host.domains(state="running")[0]
        with pytest.raises(errors.OperationFailedError, match="could not be removed again: no") as caught:
            domain.create_snapshot("s", memory=True)
        assert domain.snapshots()[0].id in str(caught.value)
