"""Listings and look-ups that cost too much, or tell too little or too much."""

from __future__ import annotations

from broken.cases import Insider, Reshaping, caught_by
from hvsdk.driver import DomainInfo, Driver, PowerState
from hvsdk.testing.fake._driver import FakeDriver


@caught_by("test_no_method_of_the_driver_is_nearly_one_of_the_contract")
class Misspells(FakeDriver):
    """A verb by another name, which nobody calls."""

    start = Driver.start

    def strat(self, native_id, *, deadline):
        return FakeDriver.start(self, native_id, deadline=deadline)


@caught_by("test_listing_costs_the_same_however_many_domains[summary]")
class ListsOneByOne(FakeDriver):
    """One round trip for each domain."""

    def list_domains(self, include, *, deadline):
        found = super().list_domains(frozenset(), deadline=deadline)
        return [self.get_domain(info.native_id, include, deadline=deadline) for info in found]


@caught_by("test_listing_costs_the_same_however_many_domains[config]")
class ConfiguresOneByOne(ListsOneByOne):
    """Likewise, for the configuration only."""

    def list_domains(self, include, *, deadline):
        if not include:
            return FakeDriver.list_domains(self, include, deadline=deadline)
        return super().list_domains(include, deadline=deadline)


@caught_by("test_finding_costs_the_same_however_many_domains")
class FindsOneByOne(FakeDriver):
    """A look-up that asks for each domain."""

    def find_domains(self, key, *, deadline):
        found = self.list_domains(frozenset(), deadline=deadline)
        infos = [self.get_domain(info.native_id, frozenset(), deadline=deadline) for info in found]
        return [info.native_id for info in infos if key in (info.name, info.uuid)]


@caught_by("test_a_domain_is_found_by_its_uuid[byte order]")
class OneByteOrder(FakeDriver):
    """UUIDs are found in the product's own spelling only."""

    def find_domains(self, key, *, deadline):
        found = self.list_domains(frozenset(), deadline=deadline)
        return [info.native_id for info in found if info.name == key or info.uuid == key.lower()]


@caught_by("test_a_name_that_two_have_is_ambiguous")
class TakesTheFirst(FakeDriver):
    """Of two domains of one name, the first."""

    def find_domains(self, key, *, deadline):
        return super().find_domains(key, deadline=deadline)[:1]


@caught_by("test_a_part_of_a_name_is_not_found")
class FindsByPrefix(FakeDriver):
    """The beginning of a name will do."""

    def find_domains(self, key, *, deadline):
        found = self.list_domains(frozenset(), deadline=deadline)
        exact = super().find_domains(key, deadline=deadline)
        return exact or [info.native_id for info in found if info.name.startswith(key)]


@caught_by("test_the_listing_follows_the_state")
class ListsTheLiving(FakeDriver):
    """Paused domains are missing."""

    def list_domains(self, include, *, deadline):
        found = super().list_domains(include, deadline=deadline)
        return [info for info in found if info.power_state is not PowerState.PAUSED]


@caught_by("test_a_listing_shows_each_domain_once")
class ListsTwice(FakeDriver):
    """Two pages that overlap."""

    def list_domains(self, include, *, deadline):
        found = super().list_domains(include, deadline=deadline)
        return [*found, *found[-1:]]


@caught_by("test_a_listing_has_the_whole_summary")
class ForgetsTheUuid(FakeDriver):
    """A summary without UUIDs."""

    def list_domains(self, include, *, deadline):
        found = super().list_domains(include, deadline=deadline)
        return [DomainInfo(native_id=i.native_id, name=i.name, power_state=i.power_state) for i in found]


@caught_by("test_a_field_that_was_not_fetched_says_so")
class FetchesEverything(FakeDriver):
    """A summary that is none."""

    def list_domains(self, include, *, deadline):
        return super().list_domains(include | {"config"}, deadline=deadline)


@caught_by("test_sizes_are_bytes")
class CountsKilobytes(Reshaping):
    """The product's unit."""

    def reshape(self, info):
        return info.replace(memory_bytes=info.memory_bytes // 1024)


@caught_by("test_times_are_aware_utc_and_plausible")
class NaiveTimes(Reshaping):
    """Times without a zone."""

    def reshape(self, info):
        if "created_at" not in info.loaded or info.created_at is None:
            return info
        return info.replace(created_at=info.created_at.replace(tzinfo=None))


class Reference(str):
    """A vendor's own kind of text."""


@caught_by("test_details_hold_json_values_under_prefixed_keys")
class VendorTypes(Reshaping):
    """The client library's types in a record."""

    def reshape(self, info):
        return info.replace(details={**info.details, "fake.ref": Reference("x")}) if info.has("config") else info


@caught_by("test_two_readings_of_the_same_are_equal")
class NeverTheSame(Reshaping):
    """A record with a clock in it."""

    readings = 0

    def reshape(self, info):
        type(self).readings += 1
        return info.replace(details={"fake.reading": self.readings}) if info.has("config") else info


@caught_by("test_the_uuid_is_lower_case_with_hyphens")
class ShoutsUuids(Reshaping):
    """Upper case."""

    def reshape(self, info):
        return info.replace(uuid=info.uuid.upper())


@caught_by("test_each_thread_gets_its_own_answer", patience=5.0)
class SharesItsCursor(Insider):
    """Says that it takes calls at once, and keeps what it was asked for on the instance."""

    max_in_flight = 8

    def get_domain(self, native_id, include, *, deadline):
        import time

        self.wanted = native_id
        time.sleep(0.003)
        return super().get_domain(self.wanted, include, deadline=deadline)


@caught_by("test_figures_cost_the_same_however_many_domains")
class FiguresOneByOne(FakeDriver):
    """One round trip for each domain's figures."""

    def stats(self, native_ids, *, deadline):
        if native_ids is None:
            found = self.list_domains(frozenset(), deadline=deadline)
            native_ids = [info.native_id for info in found if info.power_state is PowerState.RUNNING]
        return [super(FiguresOneByOne, self).stats([one], deadline=deadline)[0] for one in native_ids]


@caught_by("test_events_applied_give_the_listing")
class WatchMissesRemovals(FakeDriver):
    """Nobody is told that a domain is gone."""

    def watch(self, token, seconds, *, deadline):
        changes, token = super().watch(token, seconds, deadline=deadline)
        return [change for change in changes if change.info is not None], token


@caught_by("test_events_have_the_right_words")
class WatchMissesPauses(FakeDriver):
    """Nobody is told that a domain was paused."""

    def watch(self, token, seconds, *, deadline):
        changes, token = super().watch(token, seconds, deadline=deadline)
        kept = [c for c in changes if c.info is None or c.info.power_state is not PowerState.PAUSED]
        return kept, token
