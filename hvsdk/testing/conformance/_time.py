"""Time limits, progress, cancelling, lost connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import DomainSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import CancelMeanwhile, Names, needs, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Connections", "Time"]


class Time(Kit):
    """Verbs end in time and say how far they came."""

    def test_waiting_in_vain_ends_in_time(self, domain: Domain) -> None:
        with pytest.raises(errors.OperationTimeoutError) as late:
            domain.wait_for(PowerState.RUNNING, timeout=0.2)
        assert late.value.last_seen is PowerState.SHUTOFF
        assert isinstance(late.value, TimeoutError)

    def test_waiting_ends_when_somebody_else_brings_it_there(self, host: Host, domain: Domain, patience: float) -> None:
        needs(host, Capability.START)
        other = stands_in(domain)
        starter = threading.Thread(target=other.start, kwargs={"timeout": patience})
        starter.start()
        domain.wait_for(PowerState.RUNNING, timeout=patience)
        starter.join()
        assert domain.power_state is PowerState.RUNNING

    def test_progress_is_told_as_a_share(
        self, host: Host, spec: DomainSpec, names: Names, make_domain: MakeDomain
    ) -> None:
        told: list[float | None] = []
        host.create_domain(spec.replace(name=names("progress")), progress=told.append)
        if host.supports(Capability.CLONE):
            make_domain().clone(names("clone"), progress=told.append)
        assert all(share is None or 0.0 <= share <= 1.0 for share in told)

    @pytest.mark.parametrize("verb", ["create_domain", "clone"])
    def test_what_is_cancelled_leaves_nothing_or_all(
        self, host: Host, spec: DomainSpec, names: Names, make_domain: MakeDomain, verb: str
    ) -> None:
        needs(host, Capability(verb))
        stop = CancelMeanwhile()
        original = make_domain()
        try:
            if verb == "clone":
                made = original.clone(names("cancelled"), cancel=stop)
            else:
                made = host.create_domain(spec.replace(name=names("cancelled")), cancel=stop)
        except errors.CancelledError:
            assert names("cancelled") not in [item.name for item in host.domains()], (
                "cancelled, but it is there, half or whole"
            )
        else:
            assert stands_in(made).name == names("cancelled")

    @pytest.mark.parametrize("verb", ["create_domain", "clone"])
    def test_what_was_cancelled_before_is_not_begun(
        self, host: Host, spec: DomainSpec, names: Names, make_domain: MakeDomain, verb: str
    ) -> None:
        needs(host, Capability(verb))
        stop = threading.Event()
        stop.set()
        original = make_domain()
        new = spec.replace(name=names("never"))
        ask = {"clone": partial(original.clone, names("never")), "create_domain": partial(host.create_domain, new)}
        with pytest.raises(errors.CancelledError):
            ask[verb](cancel=stop)
        assert names("never") not in [item.name for item in host.domains()]


class Connections(Kit):
    """The reconnect rule."""

    def test_an_expired_session_is_renewed(
        self, host: Host, domain: Domain, expire_session: Callable[[], None], patience: float
    ) -> None:
        needs(host, Capability.START)
        expire_session()
        assert domain.refresh().power_state is PowerState.SHUTOFF
        expire_session()
        domain.start(timeout=patience)
        assert stands_in(domain).power_state is PowerState.RUNNING

    def test_a_read_survives_a_lost_connection(
        self, host: Host, domain: Domain, lose_connection: Callable[[str], None]
    ) -> None:
        lose_connection("before")
        assert domain.refresh().power_state is PowerState.SHUTOFF

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_change_whose_answer_was_lost_is_not_repeated(
        self, host: Host, domain: Domain, lose_connection: Callable[[str], None], patience: float, when: str
    ) -> None:
        needs(host, Capability.START)
        lose_connection(when)
        if when == "after":
            domain.start(timeout=patience)
            assert domain.power_state is PowerState.RUNNING
            return
        with pytest.raises(errors.OutcomeUnknownError) as unknown:
            domain.start(timeout=patience)
        assert unknown.value.last_seen in (PowerState.SHUTOFF, None)
        assert stands_in(domain).power_state is PowerState.SHUTOFF, "the call was repeated blindly"
