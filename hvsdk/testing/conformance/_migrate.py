"""Moving a domain to another host of the same product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, needs, remove, stands_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hvsdk._host import Host

__all__ = ["Migrate"]


class Migrate(Kit):
    """`migrate`."""

    @pytest.fixture
    def target(self, host: Host, second_host: Host, names: Names, patience: float) -> Iterator[Host]:
        """Return the other host; what the test leaves there is removed."""
        needs(host, Capability.MIGRATE)
        yield second_host
        for domain in second_host.domains(where=lambda info: names.owns(info.name)):
            remove(domain, patience=patience)

    @pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING], ids=lambda state: state.name)
    def test_a_moved_domain_is_there_and_not_here(
        self, host: Host, target: Host, make_domain: MakeDomain, reach: Reach, state: PowerState
    ) -> None:
        if state is PowerState.RUNNING:
            needs(host, Capability.MIGRATE_LIVE)
        domain = reach(make_domain(), state)
        moved = domain.migrate(target)
        assert moved.host is target
        assert (moved.name, moved.uuid) == (domain.name, domain.uuid)
        assert stands_in(moved).power_state is state
        with pytest.raises(errors.DomainNotFoundError):
            host.domain(domain.native_id)

    def test_a_suspended_domain_is_not_moved(
        self, host: Host, target: Host, make_domain: MakeDomain, reach: Reach
    ) -> None:
        domain = reach(make_domain(), PowerState.SUSPENDED)
        with pytest.raises(errors.PowerStateError):
            domain.migrate(target)
        assert stands_in(domain).power_state is PowerState.SUSPENDED

    def test_a_cold_move_needs_a_domain_that_is_off(
        self, host: Host, target: Host, make_domain: MakeDomain, reach: Reach
    ) -> None:
        domain = reach(make_domain(), PowerState.RUNNING)
        with pytest.raises(errors.PowerStateError):
            domain.migrate(target, live=False)
        assert stands_in(domain).power_state is PowerState.RUNNING
