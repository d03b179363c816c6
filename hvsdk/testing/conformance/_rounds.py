"""Round trips: verbs cost the call and, where the answer does not tell, one look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import needs

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["RoundTrips"]

HAPPY: Final = [
    ("start", PowerState.SHUTOFF),
    ("power_off", PowerState.RUNNING),
    ("pause", PowerState.RUNNING),
    ("unpause", PowerState.PAUSED),
]
IDLE: Final = [
    ("start", PowerState.RUNNING),
    ("power_off", PowerState.SHUTOFF),
    ("pause", PowerState.PAUSED),
    ("unpause", PowerState.RUNNING),
    ("suspend", PowerState.SUSPENDED),
]


class RoundTrips(Kit):
    """Counted, not timed. One "look" is what `refresh()` costs."""

    def cost(self, count: Callable[[], int], action: Callable[[], object]) -> int:
        """Return what an action costs."""
        before = count()
        action()
        return count() - before

    @pytest.mark.parametrize(("verb", "state"), [*HAPPY, *IDLE], ids=lambda item: str(item))
    def test_a_verb_costs_a_call_and_a_few_looks_at_most(
        self,
        host: Host,
        domain: Domain,
        reach: Reach,
        round_trips: Callable[[], int],
        patience: float,
        verb: str,
        state: PowerState,
    ) -> None:
        needs(host, Capability(verb))
        reach(domain, state)
        look = self.cost(round_trips, domain.refresh)
        spent = self.cost(round_trips, lambda: getattr(domain, verb)(timeout=patience))
        # Where the product itself does not fence, the mark is read before a domain runs.
        marked = verb in ("start", "resume") and not host.supports(Capability.FENCE)
        most = 1 + (3 if marked else 2) * look + self.round_trips_beside_a_call
        assert spent <= most, f"{verb} in {state} took {spent} round trips, a look takes {look}"

    def test_attributes_cost_nothing(self, domain: Domain, round_trips: Callable[[], int]) -> None:
        def look() -> None:
            assert domain.name
            assert domain.power_state
            assert domain.info.disks is domain.disks
            repr(domain)
            hash(domain)

        assert self.cost(round_trips, look) == 0

    def test_finding_costs_the_same_however_many_domains(
        self, host: Host, make_domain: MakeDomain, round_trips: Callable[[], int]
    ) -> None:
        domain = make_domain()
        host.domain(domain.name)
        few = self.cost(round_trips, lambda: host.domain(domain.name))
        for _ in range(3):
            make_domain()
        assert self.cost(round_trips, lambda: host.domain(domain.name)) == few

    def test_figures_cost_the_same_however_many_domains(
        self, host: Host, make_domain: MakeDomain, reach: Reach, round_trips: Callable[[], int]
    ) -> None:
        needs(host, Capability.STATS, Capability.START)
        reach(make_domain(), PowerState.RUNNING)
        host.stats()
        few = self.cost(round_trips, host.stats)
        for _ in range(2):
            reach(make_domain(), PowerState.RUNNING)
        host.stats()
        assert self.cost(round_trips, host.stats) == few
