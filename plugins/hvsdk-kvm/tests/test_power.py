"""The power verbs on real QEMU guests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hvsdk
import libvirt
import pytest
from hvsdk import PowerState, errors
from hvsdk_testbed.bootsector import make_disk, ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from kvm_support import eventually, finish, soon

from hvsdk_kvm._driver import KvmDriver

Guest = Callable[..., str]


@pytest.fixture
def guest(embed: KvmDriver, tmp_path: Path) -> Guest:
    """Defines a guest that boots in a moment, and returns its id; its serial line is in `tmp_path/NAME.log`."""

    def define(name: str = "web", *, answers: bool = True) -> str:
        disk = make_disk(tmp_path / f"{name}.qcow2", name, answers_power_button=answers)
        xml = domain_xml(name, [DiskXML(path=disk)], serial_file=tmp_path / f"{name}.log")
        return str(embed.connection.defineXML(xml).UUIDString())

    return define


def state(driver: KvmDriver, native_id: str) -> PowerState:
    return driver.get_domain(native_id, frozenset(), deadline=soon()).power_state


def listed_state(driver: KvmDriver, native_id: str) -> PowerState:
    return {d.native_id: d.power_state for d in driver.list_domains(frozenset(), deadline=soon())}[native_id]


def test_a_guest_starts_pauses_and_goes_on(embed: KvmDriver, guest: Guest, tmp_path: Path) -> None:
    web = guest()
    finish(embed.start(web, deadline=soon()))
    with Console(tmp_path / "web.log") as console:
        console.wait(up_line("web"))
        assert state(embed, web) == listed_state(embed, web) == PowerState.RUNNING
        embed.pause(web, deadline=soon())
        assert state(embed, web) == listed_state(embed, web) == PowerState.PAUSED
        embed.unpause(web, deadline=soon())
        console.wait("web tick 2")
    embed.power_off(web, discard_memory=False, deadline=soon())
    assert state(embed, web) == listed_state(embed, web) == PowerState.SHUTOFF


def test_shutdown_presses_the_power_button(embed: KvmDriver, guest: Guest, tmp_path: Path) -> None:
    web = guest()
    finish(embed.start(web, deadline=soon()))
    with Console(tmp_path / "web.log") as console:
        console.wait(up_line("web"))
        embed.shutdown(web, deadline=soon())
        console.wait("web off")
    assert eventually(lambda: state(embed, web) == PowerState.SHUTOFF)


def test_suspended_memory_is_seen_and_goes_on_where_it_was(embed: KvmDriver, guest: Guest, tmp_path: Path) -> None:
    web = guest()
    finish(embed.start(web, deadline=soon()))
    with Console(tmp_path / "web.log") as console:
        console.wait("web tick 1")
        finish(embed.suspend(web, deadline=soon()))
        assert state(embed, web) == listed_state(embed, web) == PowerState.SUSPENDED
        finish(embed.resume(web, deadline=soon()))
        assert state(embed, web) == PowerState.RUNNING
        console.wait("web tick 3")
        assert console.text.count(up_line("web")) == 1
        assert ticks(console.text, "web")[:3] == [1, 2, 3]


def test_memory_saved_while_paused_runs_after_start(embed: KvmDriver, guest: Guest) -> None:
    web = guest()
    finish(embed.start(web, deadline=soon()))
    embed.connection.lookupByName("web").managedSave(libvirt.VIR_DOMAIN_SAVE_PAUSED)
    finish(embed.start(web, deadline=soon()))
    assert state(embed, web) == PowerState.RUNNING


def test_saved_memory_is_given_up_only_on_request(embed_host: hvsdk.Host, embed: KvmDriver, guest: Guest) -> None:
    guest()
    web = embed_host.domain("web")
    web.start()
    web.suspend()
    with pytest.raises(errors.PowerStateError):
        web.power_off()
    assert web.refresh().power_state == PowerState.SUSPENDED
    web.power_off(discard_memory=True)
    assert web.power_state == PowerState.SHUTOFF


def test_resume_never_boots_a_domain_that_is_off(embed: KvmDriver, guest: Guest) -> None:
    web = guest()
    with pytest.raises(errors.PowerStateError, match="no saved memory"):
        embed.resume(web, deadline=soon())
    assert state(embed, web) == PowerState.SHUTOFF


def test_reset_boots_again_with_the_same_identity(embed: KvmDriver, guest: Guest, tmp_path: Path) -> None:
    web = guest()
    finish(embed.start(web, deadline=soon()))
    with Console(tmp_path / "web.log") as console:
        console.wait("web tick 1")
        embed.reset(web, deadline=soon())
        console.wait(up_line("web"))
    assert state(embed, web) == PowerState.RUNNING


@pytest.mark.parametrize("verb", ["reboot", "reset", "suspend", "shutdown"])
def test_what_qemu_does_to_a_paused_domain_hvsdk_refuses(embed_host: hvsdk.Host, guest: Guest, verb: str) -> None:
    guest()
    web = embed_host.domain("web")
    web.start()
    web.pause()
    with pytest.raises(errors.PowerStateError) as caught:
        getattr(web, verb)()
    assert caught.value.state == PowerState.PAUSED
    assert web.refresh().power_state == PowerState.PAUSED


def test_a_deaf_guest_is_cut_off_only_on_request(embed_host: hvsdk.Host, guest: Guest, tmp_path: Path) -> None:
    guest("deaf", answers=False)
    deaf = embed_host.domain("deaf")
    deaf.start()
    with Console(tmp_path / "deaf.log") as console:
        console.wait(up_line("deaf"))
    with pytest.raises(errors.OperationTimeoutError):
        deaf.shutdown(timeout=2)
    assert deaf.refresh().power_state == PowerState.RUNNING
    deaf.shutdown(timeout=1, then="power_off")
    assert deaf.power_state == PowerState.SHUTOFF


def test_every_verb_twice_is_harmless(embed_host: hvsdk.Host, guest: Guest) -> None:
    guest()
    web = embed_host.domain("web")
    for verb, goal in (
        ("start", PowerState.RUNNING),
        ("pause", PowerState.PAUSED),
        ("unpause", PowerState.RUNNING),
        ("suspend", PowerState.SUSPENDED),
        ("resume", PowerState.RUNNING),
        ("power_off", PowerState.SHUTOFF),
    ):
        getattr(web, verb)()
        getattr(web, verb)()
        assert web.power_state == goal
