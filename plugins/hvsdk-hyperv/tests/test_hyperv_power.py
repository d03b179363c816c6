"""Power, beyond what the kit looks at."""

from __future__ import annotations

from collections.abc import Iterator

import hvsdk
import pytest
from hvsdk import PowerState, errors
from hvsdk_simulators import Running
from hyperv_support import requests_of


@pytest.fixture
def lab(place: tuple[Running, hvsdk.Host]) -> Iterator[tuple[Running, hvsdk.Domain]]:
    """A domain of the test's own that runs."""
    server, host = place
    domain = host.create_domain(hvsdk.DomainSpec(name="power", memory="64MiB", firmware="uefi"))
    domain.start()
    yield server, domain
    server.clear_faults()
    server.act("state", vm=domain.native_id, state="Off")
    domain.refresh().delete(disks="delete")


def test_a_power_verb_is_two_requests_and_starting_two_more_that_look_for_a_fence(
    lab: tuple[Running, hvsdk.Domain],
) -> None:
    server, domain = lab
    for verb in (domain.pause, domain.unpause, domain.suspend):
        assert requests_of(server, verb) == {"Send": 1, "Receive": 1}, verb.__name__
    assert requests_of(server, domain.resume) == {"Send": 2, "Receive": 2}
    assert requests_of(server, domain.power_off) == {"Send": 1, "Receive": 1}


def test_what_was_saved_while_it_was_paused_runs_again(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    domain.suspend()
    server.act("saved-paused", vm=domain.native_id)
    domain.resume()
    assert domain.power_state is PowerState.RUNNING


def test_a_guest_without_services_is_told_at_once_when_it_had_time_to_begin(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    server.act("guest", vm=domain.native_id, tools=False)
    server.act("running-since", vm=domain.native_id, seconds=600)
    with pytest.raises(errors.GuestAgentError) as refused:
        domain.shutdown(timeout=30)
    assert not refused.value.not_yet
    assert domain.refresh().power_state is PowerState.RUNNING


def test_a_guest_that_is_booting_is_asked_again_until_it_hears(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    server.act("guest", vm=domain.native_id, tools=True, missed_requests=1, obeys_shutdown=True)
    domain.shutdown(timeout=60)
    assert domain.power_state is PowerState.SHUTOFF


def test_a_service_that_is_switched_off_is_told_whatever_its_name_is(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    server.act("service", vm=domain.native_id, service="Shutdown", enabled=False, shown="Herunterfahren")
    with pytest.raises(errors.GuestAgentError, match="switched off") as refused:
        domain.shutdown(timeout=30)
    assert not refused.value.not_yet
    with pytest.raises(errors.GuestAgentError):
        domain.reboot()


def test_a_host_without_memory_says_so(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    domain.power_off()
    server.act("memory", vm=domain.native_id, bytes=1 << 42)
    with pytest.raises(errors.InsufficientResourcesError):
        domain.start()
    assert domain.refresh().power_state is PowerState.SHUTOFF
    server.act("memory", vm=domain.native_id, bytes=64 << 20)


@pytest.mark.parametrize("state", ["OffCritical", "SavedCritical"])
def test_what_the_host_cannot_see_is_left_alone(lab: tuple[Running, hvsdk.Domain], state: str) -> None:
    server, domain = lab
    server.act("state", vm=domain.native_id, state=state)
    assert domain.refresh().power_state is PowerState.UNKNOWN
    with pytest.raises(errors.PowerStateError):
        domain.start()


def test_a_domain_whose_storage_is_gone_while_it_runs_can_be_switched_off(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    server.act("state", vm=domain.native_id, state="RunningCritical")
    assert domain.refresh().power_state is PowerState.RUNNING
    domain.power_off()
    assert domain.power_state is PowerState.SHUTOFF
