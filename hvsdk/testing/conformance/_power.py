"""The state table, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import needs, stands_in, unchecked, wait_seconds

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["PowerTable"]

ERROR: Final = "error"
GONE: Final = "gone"
OFF, ON, HELD, SAVED, DEAD = (
    PowerState.SHUTOFF,
    PowerState.RUNNING,
    PowerState.PAUSED,
    PowerState.SUSPENDED,
    PowerState.CRASHED,
)
VERBS: Final = ("start", "shutdown", "power_off", "reboot", "reset", "pause", "unpause", "suspend", "resume", "delete")
TABLE: Final[dict[PowerState, tuple[str, ...]]] = {
    OFF: (ON, OFF, OFF, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR, GONE),
    ON: (ON, OFF, OFF, ON, ON, HELD, ON, SAVED, ON, ERROR),
    HELD: (ERROR, ERROR, OFF, ERROR, ERROR, HELD, ON, ERROR, ERROR, ERROR),
    SAVED: (ON, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR, SAVED, ON, ERROR),
    DEAD: (ERROR, ERROR, OFF, ERROR, ON, ERROR, ERROR, ERROR, ERROR, ERROR),
}
"""What each verb leads to from each state."""
CELLS: Final = [
    pytest.param(state, verb, expected, id=f"{state.name}-{verb}")
    for state, row in TABLE.items()
    for verb, expected in zip(VERBS, row, strict=True)
]


def act(domain: Domain, verb: str, timeout: float, **more: Any) -> None:
    """Call a power verb, or `delete`."""
    getattr(domain, verb)(timeout=timeout, **more)


def check_refusal(error: errors.PowerStateError, state: PowerState) -> None:
    """Check that a refusal names the state and says what to do."""
    assert error.state is state
    assert state.value in str(error).lower()
    assert error.hint, f"the error does not say what to do: {error}"


class PowerTable(Kit):
    """Every verb from every state does what the table of the documentation says."""

    @pytest.mark.parametrize(("state", "verb", "expected"), CELLS)
    def test_power_table(
        self,
        request: pytest.FixtureRequest,
        host: Host,
        reach: Reach,
        patience: float,
        guest_obeys: bool | None,
        state: PowerState,
        verb: str,
        expected: str,
    ) -> None:
        needs(host, Capability(verb))
        if verb in ("shutdown", "reboot") and state is ON and not guest_obeys:
            unchecked(f"the guest does not answer: {verb} cannot be seen to work")
        if verb == "delete":
            make: MakeDomain = request.getfixturevalue("make_domain")
            domain = make()
        else:
            domain = request.getfixturevalue("domain")
        uuid = reach(domain, state).uuid
        if expected == ERROR:
            with pytest.raises(errors.PowerStateError) as refused:
                act(domain, verb, patience)
            check_refusal(refused.value, state)
            assert stands_in(domain).power_state is state, "a refused verb changed the state"
            return
        act(domain, verb, patience)
        if expected == GONE:
            with pytest.raises(errors.DomainNotFoundError):
                host.domain(domain.native_id)
            return
        assert domain.power_state == expected, "the handle is not fresh"
        seen = stands_in(domain)
        assert seen.power_state == expected
        assert seen.uuid == uuid

    @pytest.mark.parametrize(("state", "verb", "expected"), CELLS)
    def test_why_not_agrees_with_the_table(
        self, host: Host, domain: Domain, reach: Reach, state: PowerState, verb: str, expected: str
    ) -> None:
        needs(host, Capability(verb))
        reason = reach(domain, state).why_not(verb)
        if expected == ERROR:
            assert reason, f"{verb} is an error in {state.name}, but why_not gives no reason"
            assert state.value in reason.lower()
        else:
            assert reason is None

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_changing_domain_is_waited_for_and_then_busy(
        self, host: Host, make_domain: MakeDomain, reach: Reach, patience: float, verb: str
    ) -> None:
        needs(host, Capability(verb))
        domain = reach(make_domain(), PowerState.CHANGING)
        with pytest.raises(errors.BusyError):
            act(domain, verb, wait_seconds(patience))
        assert stands_in(domain).power_state is PowerState.CHANGING

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_domain_that_the_product_cannot_see_is_left_alone(
        self, host: Host, make_domain: MakeDomain, reach: Reach, patience: float, verb: str
    ) -> None:
        needs(host, Capability(verb))
        domain = reach(make_domain(), PowerState.UNKNOWN)
        with pytest.raises(errors.PowerStateError) as refused:
            act(domain, verb, patience)
        assert refused.value.state is PowerState.UNKNOWN
        assert domain.why_not(verb)
        assert stands_in(domain).power_state is PowerState.UNKNOWN

    @pytest.mark.parametrize("state", [HELD, DEAD], ids=lambda state: state.name)
    def test_shutdown_then_power_off_cuts_what_cannot_be_asked(
        self, host: Host, domain: Domain, reach: Reach, patience: float, state: PowerState
    ) -> None:
        needs(host, Capability.SHUTDOWN, Capability.POWER_OFF)
        reach(domain, state).shutdown(timeout=patience, then="power_off")
        assert stands_in(domain).power_state is OFF

    def test_shutdown_then_power_off_spares_a_saved_memory(
        self, host: Host, domain: Domain, reach: Reach, patience: float
    ) -> None:
        needs(host, Capability.SHUTDOWN, Capability.POWER_OFF)
        reach(domain, SAVED)
        with pytest.raises(errors.PowerStateError):
            domain.shutdown(timeout=patience, then="power_off")
        assert stands_in(domain).power_state is SAVED

    def test_power_off_gives_up_a_saved_memory_when_told_to(
        self, host: Host, domain: Domain, reach: Reach, patience: float
    ) -> None:
        needs(host, Capability.POWER_OFF)
        reach(domain, SAVED).power_off(discard_memory=True, timeout=patience)
        assert domain.power_state is OFF
        assert stands_in(domain).power_state is OFF

    def test_reboot_keeps_the_uuid(
        self, host: Host, running: Domain, patience: float, guest_obeys: bool | None
    ) -> None:
        needs(host, Capability.REBOOT)
        if not guest_obeys:
            unchecked("the guest does not answer: reboot cannot be seen to work")
        before = (running.native_id, running.uuid)
        running.reboot(timeout=patience)
        seen = stands_in(running)
        assert (seen.native_id, seen.uuid) == before
        assert seen.power_state is ON

    def test_an_unknown_way_to_end_a_shutdown_is_refused(self, running: Domain) -> None:
        with pytest.raises((ValueError, TypeError, errors.InvalidSpecError)):
            running.shutdown(then="explode")  # type: ignore[arg-type]
        assert stands_in(running).power_state is ON

    def test_wait_for_returns_in_a_state_that_is_there(self, running: Domain, patience: float) -> None:
        running.wait_for(ON, timeout=patience)
        running.wait_for("running", timeout=patience)


class Memory(Kit):
    """What a guest has in memory outlives what it should, and nothing else."""

    @pytest.mark.parametrize("verb", ["start", "resume"])
    def test_saved_memory_is_restored(
        self, host: Host, running: Domain, patience: float, boot_id: Callable[[Domain], object], verb: str
    ) -> None:
        needs(host, Capability.SUSPEND, Capability(verb))
        before = boot_id(running)
        running.suspend(timeout=patience)
        act(running, verb, patience)
        assert running.power_state is ON
        assert boot_id(running) == before, f"{verb} discarded the saved memory"

    def test_pause_keeps_the_memory(
        self, host: Host, running: Domain, patience: float, boot_id: Callable[[Domain], object]
    ) -> None:
        needs(host, Capability.PAUSE, Capability.UNPAUSE)
        before = boot_id(running)
        running.pause(timeout=patience)
        running.unpause(timeout=patience)
        assert boot_id(running) == before

    def test_reset_boots_anew(
        self, host: Host, running: Domain, patience: float, boot_id: Callable[[Domain], object]
    ) -> None:
        needs(host, Capability.RESET)
        before = boot_id(running)
        running.reset(timeout=patience)
        assert boot_id(running) != before

    def test_a_discarded_memory_is_gone(
        self, host: Host, running: Domain, patience: float, boot_id: Callable[[Domain], object]
    ) -> None:
        needs(host, Capability.SUSPEND, Capability.POWER_OFF)
        before = boot_id(running)
        running.suspend(timeout=patience)
        running.power_off(discard_memory=True, timeout=patience)
        running.start(timeout=patience)
        assert boot_id(running) != before
