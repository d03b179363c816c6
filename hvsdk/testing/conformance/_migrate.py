"""Moving a domain to another host of the same product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, needs, remove, stands_in, unchecked

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

    @pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING], ids=lambda state: state.name)
    def test_a_domain_moves_to_a_named_node_and_stays_the_same(
        self, host: Host, make_domain: MakeDomain, reach: Reach, state: PowerState
    ) -> None:
        needs(host, Capability.MIGRATE_NODE)
        if state is PowerState.RUNNING:
            needs(host, Capability.MIGRATE_LIVE)
        domain = reach(make_domain(), state)
        others = [node for node in host.nodes() if node.state == "up" and node.name != domain.node]
        if not others:
            unchecked("the host has one node")
        moved = domain.migrate(node=others[0])
        assert (moved.host, moved.native_id, moved.uuid) == (host, domain.native_id, domain.uuid)
        assert stands_in(moved).power_state is state
        if state is PowerState.RUNNING:
            assert moved.node == others[0].name

    def test_a_domains_disks_move_to_a_named_storage_pool(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.MIGRATE_STORAGE)
        domain = make_domain()
        there = [pool for pool in host.storage_pools() if pool.active and pool.id != domain.disks[0].pool]
        if not there:
            unchecked("the host has one storage pool")
        moved = domain.migrate(pool=there[0])
        assert moved.native_id == domain.native_id
        assert {disk.pool for disk in moved.disks if disk.device == "disk"} == {there[0].id}

    def test_what_is_not_there_is_no_place_to_move_to(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.MIGRATE_NODE)
        domain = make_domain()
        with pytest.raises(errors.UnsupportedError, match="no-such-node"):
            domain.migrate(node="no-such-node")
        stands_in(domain)

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
