"""Listing and finding domains."""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import FIELD_GROUPS
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, check_loaded, needs

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Listing", "Lookup"]

ALWAYS = frozenset(FIELD_GROUPS["summary"]) - {"vcpus", "memory_bytes"}
"""The summary; sizes belong to it where the product's bulk calls have them."""


def swapped(uuid: str) -> str:
    """Return a UUID as a reader of the other byte order spells it."""
    return str(_uuid.UUID(bytes=_uuid.UUID(uuid).bytes_le))


class Listing(Kit):
    """`host.domains()`: everything, in bulk, and only what was asked for."""

    def test_a_listing_has_the_whole_summary(self, host: Host, domain: Domain) -> None:
        (listed,) = [item for item in host.domains() if item.native_id == domain.native_id]
        missing = ALWAYS - listed.info.loaded
        assert not missing, f"record of {listed.name!r} has part of the summary; missing: {', '.join(sorted(missing))}"
        assert listed.name == domain.name
        assert listed.uuid == domain.uuid
        assert listed.power_state is PowerState.SHUTOFF
        assert listed == domain

    def test_a_listing_shows_each_domain_once(self, host: Host, domain: Domain) -> None:
        ids = [item.native_id for item in host.domains(templates=True, control=True, superseded=True)]
        assert len(ids) == len(set(ids))
        assert domain.native_id in ids

    @pytest.mark.parametrize("group", ["config", "guest"])
    def test_a_listing_loads_the_groups_that_are_asked_for(self, host: Host, domain: Domain, group: str) -> None:
        if group == "guest":
            needs(host, Capability.GUEST_INFO)
        for item in host.domains(include=(group,)):
            check_loaded(item.info, group)

    def test_a_full_listing_has_the_configuration(self, host: Host, domain: Domain) -> None:
        (listed,) = [item for item in host.domains(full=True) if item.native_id == domain.native_id]
        check_loaded(listed.info, "config")
        assert listed.info.disks == domain.info.disks
        assert listed.info.nics == domain.info.nics

    def test_templates_and_control_domains_are_left_out(self, host: Host) -> None:
        shown = host.domains()
        assert not [item for item in shown if item.info.is_template or item.info.is_control]
        everything = host.domains(templates=True, control=True)
        assert {item.native_id for item in shown} <= {item.native_id for item in everything}

    def test_filters_agree_with_the_records(self, host: Host, domain: Domain, names: Names) -> None:
        assert [item.native_id for item in host.domains(name=f"{domain.name}*")] == [domain.native_id]
        assert domain in host.domains(state="shutoff")
        assert domain not in host.domains(state=[PowerState.RUNNING, PowerState.PAUSED])
        assert domain in host.domains(where=lambda info: info.name == domain.name)
        assert domain in host.domains(hypervisor=domain.info.hypervisor)
        assert domain not in host.domains(hypervisor="none such")

    def test_a_tag_filter_fetches_what_it_needs(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.SET_TAGS)
        domain.set_tags({names.token})
        assert [item.native_id for item in host.domains(tag=names.token)] == [domain.native_id]

    def test_the_listing_follows_the_state(self, host: Host, domain: Domain, reach: Reach) -> None:
        for state in (PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED):
            capability = {PowerState.PAUSED: Capability.PAUSE, PowerState.SUSPENDED: Capability.SUSPEND}.get(state)
            if capability is None or host.supports(capability):
                reach(domain, state)
                listed = {item.native_id: item.power_state for item in host.domains()}
                assert listed[domain.native_id] is state

    @pytest.mark.parametrize("include", [(), ("config",)], ids=["summary", "config"])
    def test_listing_costs_the_same_however_many_domains(
        self, host: Host, make_domain: MakeDomain, round_trips: Callable[[], int], include: tuple[str, ...]
    ) -> None:
        make_domain()
        host.domains(include=include)

        def cost() -> int:
            before = round_trips()
            host.domains(include=include)
            return round_trips() - before

        few = cost()
        for _ in range(4):
            make_domain()
        host.domains(include=include)
        assert cost() == few, "listing more domains takes more round trips"


class Lookup(Kit):
    """`host.domain(key)`: by native id, UUID or name, in this order."""

    def test_a_domain_is_found_by_its_native_id(self, host: Host, domain: Domain) -> None:
        assert host.domain(domain.native_id) == domain

    def test_a_domain_is_found_by_its_name(self, host: Host, domain: Domain) -> None:
        assert host.domain(domain.name) == domain

    @pytest.mark.parametrize("spelling", [str, str.upper, swapped], ids=["as told", "upper case", "byte order"])
    def test_a_domain_is_found_by_its_uuid(self, host: Host, domain: Domain, spelling: Callable[[str], str]) -> None:
        if domain.uuid is None:
            pytest.skip("the product gives no UUID")
        assert host.domain(spelling(domain.uuid)) == domain

    def test_the_uuid_is_lower_case_with_hyphens(self, domain: Domain) -> None:
        assert domain.uuid is None or str(_uuid.UUID(domain.uuid)) == domain.uuid

    def test_a_found_domain_has_both_groups(self, host: Host, domain: Domain) -> None:
        found = host.domain(domain.name).info
        check_loaded(found, "config")
        if host.supports(Capability.GUEST_INFO):
            check_loaded(found, "guest")

    @pytest.mark.parametrize("key", ["{token}-nobody", str(_uuid.UUID(int=7)), "{token}*", "{token}' or '1'='1"])
    def test_what_is_not_there_is_not_found(self, host: Host, names: Names, key: str) -> None:
        wanted = key.format(token=names.token)
        with pytest.raises(errors.DomainNotFoundError) as missing:
            host.domain(wanted)
        assert wanted in str(missing.value)

    def test_a_part_of_a_name_is_not_found(self, host: Host, domain: Domain) -> None:
        if len(domain.name) < 2:
            pytest.skip("a name of one character has no part")
        with pytest.raises(errors.DomainNotFoundError):
            host.domain(domain.name[:-1])

    def test_a_name_that_two_have_is_ambiguous(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        needs(host, Capability.DUPLICATE_NAMES)
        twins = [make_domain(name=names("twin")), make_domain(name=names("twin"))]
        with pytest.raises(errors.AmbiguousNameError) as ambiguous:
            host.domain(names("twin"))
        assert {found[0] for found in ambiguous.value.candidates} == {twin.native_id for twin in twins}
        assert {found[1] for found in ambiguous.value.candidates} == {twin.uuid for twin in twins}
        for twin in twins:
            assert (twin.uuid or twin.native_id) in str(ambiguous.value)
            assert host.domain(twin.native_id) == twin
