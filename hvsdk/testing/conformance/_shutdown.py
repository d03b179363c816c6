"""Asking a guest to switch off: asked again, never cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit
from hvsdk.testing.conformance._helpers import needs, stands_in, unchecked, wait_seconds

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Shutdown"]


class Shutdown(Kit):
    """`shutdown` asks, and only asks, unless it is told what to do then."""

    def test_shutdown_never_cuts_the_power(self, host: Host, deaf: Domain, patience: float) -> None:
        needs(host, Capability.SHUTDOWN)
        with pytest.raises((errors.OperationTimeoutError, errors.GuestAgentError)) as failed:
            deaf.shutdown(timeout=wait_seconds(patience))
        assert stands_in(deaf).power_state is PowerState.RUNNING
        if isinstance(failed.value, errors.OperationTimeoutError):
            assert failed.value.last_seen is PowerState.RUNNING

    def test_shutdown_then_power_off_cuts_the_power(self, host: Host, deaf: Domain, patience: float) -> None:
        needs(host, Capability.SHUTDOWN, Capability.POWER_OFF)
        deaf.shutdown(timeout=wait_seconds(patience), then="power_off")
        assert deaf.power_state is PowerState.SHUTOFF
        assert stands_in(deaf).power_state is PowerState.SHUTOFF

    def test_shutdown_repeats_its_request(
        self, host: Host, running: Domain, patience: float, guest_obeys: bool | None, guest_ignores: Any
    ) -> None:
        needs(host, Capability.SHUTDOWN)
        if not guest_obeys or guest_ignores is None:
            unchecked("no guest that misses the first request and answers the next")
        guest_ignores(running, 1)
        running.shutdown(timeout=patience)
        assert stands_in(running).power_state is PowerState.SHUTOFF

    def test_a_shutdown_guest_starts_again(
        self, host: Host, running: Domain, patience: float, guest_obeys: bool | None
    ) -> None:
        needs(host, Capability.SHUTDOWN, Capability.START)
        if not guest_obeys:
            unchecked("the guest does not answer the power button")
        running.shutdown(timeout=patience)
        running.start(timeout=patience)
        assert stands_in(running).power_state is PowerState.RUNNING
