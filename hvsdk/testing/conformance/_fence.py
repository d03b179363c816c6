"""Fencing: a domain that has moved away must not run here as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import FenceMark
from hvsdk.testing.conformance._fixtures import Kit, Reach
from hvsdk.testing.conformance._helpers import concerns, needs, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Fence"]


class Fence(Kit):
    """`fence` and `unfence`, by the product or by hvsdk's own mark."""

    @pytest.fixture
    def fenceable(self, host: Host, domain: Domain) -> Domain:
        """Return a domain that can be fenced."""
        by_product = (Capability.FENCE, Capability.UNFENCE)
        concerns(*by_product if host.supports(Capability.FENCE) else (Capability.FENCE_MARK,))
        if not (host.supports(Capability.FENCE) or host.supports(Capability.FENCE_MARK)):
            pytest.skip("the host fences nothing")
        return domain

    def test_a_fenced_domain_does_not_start(self, host: Host, fenceable: Domain, patience: float) -> None:
        needs(host, Capability.START)
        fenceable.fence("moved to another host")
        assert fenceable.why_not("start")
        with pytest.raises((errors.PermissionDeniedError, errors.PowerStateError)):
            fenceable.start(timeout=patience)
        assert stands_in(fenceable).power_state is PowerState.SHUTOFF

    def test_a_fenced_domain_does_not_resume(
        self, host: Host, fenceable: Domain, reach: Reach, patience: float
    ) -> None:
        needs(host, Capability.RESUME)
        reach(fenceable, PowerState.SUSPENDED)
        try:
            fenceable.fence("moved")
        except errors.PowerStateError:  # some products fence only what is off
            assert stands_in(fenceable).info.fenced is None
            assert fenceable.power_state is PowerState.SUSPENDED
            return
        with pytest.raises((errors.PermissionDeniedError, errors.PowerStateError)):
            fenceable.resume(timeout=patience)
        assert stands_in(fenceable).power_state is PowerState.SUSPENDED

    def test_a_fence_is_recorded_on_the_domain(self, fenceable: Domain) -> None:
        fenceable.fence("moved: <b>&amp;</b>")
        for mark in (fenceable.info.fenced, stands_in(fenceable).info.fenced):
            assert isinstance(mark, FenceMark)
            assert mark.reason == "moved: <b>&amp;</b>"
        fenceable.unfence()
        assert fenceable.info.fenced is None
        assert stands_in(fenceable).info.fenced is None

    def test_an_unfenced_domain_starts(self, host: Host, fenceable: Domain, patience: float) -> None:
        needs(host, Capability.START)
        fenceable.fence("moved")
        fenceable.unfence()
        fenceable.start(timeout=patience)
        assert stands_in(fenceable).power_state is PowerState.RUNNING

    def test_unfencing_brings_back_what_was_switched_off(self, host: Host, fenceable: Domain) -> None:
        needs(host, Capability.SET_AUTOSTART)
        fenceable.set_autostart(True)
        before = fenceable.refresh().info
        fenceable.fence("moved")
        if not host.supports(Capability.FENCE):
            assert stands_in(fenceable).info.autostart is False
        fenceable.unfence()
        after = stands_in(fenceable).info
        assert after.autostart is True
        assert after.nics == before.nics
        assert after.metadata == before.metadata

    def test_fencing_twice_keeps_the_first_reason(self, fenceable: Domain) -> None:
        fenceable.fence("first")
        fenceable.fence("second")
        mark = stands_in(fenceable).info.fenced
        assert mark is not None
        assert mark.reason == "first"
        fenceable.unfence()
        fenceable.unfence()
        assert stands_in(fenceable).info.fenced is None

    def test_a_blank_reason_is_refused(self, fenceable: Domain) -> None:
        with pytest.raises(errors.InvalidSpecError):
            fenceable.fence(" ")
        assert stands_in(fenceable).info.fenced is None
