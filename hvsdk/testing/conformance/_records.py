"""Records: frozen, complete, in our units and without a vendor's types."""

from __future__ import annotations

import copy
import ipaddress
import json
import pickle
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import FIELD_GROUPS, DomainInfo, DomainSpec
from hvsdk.testing.conformance._fixtures import Kit
from hvsdk.testing.conformance._helpers import check_loaded, needs

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Records"]

NOT_JSON = (str, int, float, bool, type(None))


def only_json(value: Any) -> bool:
    """Return whether a value is made of JSON's types alone: a subclass would be a vendor's or a lazy one."""
    if isinstance(value, dict):
        return all(type(key) is str and only_json(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(only_json, value))
    return type(value) in NOT_JSON


class Records(Kit):
    """What a backend says of a domain."""

    def test_a_record_becomes_json(self, domain: Domain) -> None:
        values = domain.info.to_dict()
        assert json.loads(json.dumps(values, allow_nan=False)) == values
        assert values.keys() == domain.info.loaded
        assert values.keys() <= {name for group in FIELD_GROUPS.values() for name in group} | {"seen_at"}

    def test_details_hold_json_values_under_prefixed_keys(self, domain: Domain) -> None:
        assert only_json(domain.info.details)
        assert all("." in key for key in domain.info.details)
        assert all(only_json(disk.details) for disk in domain.info.disks)
        assert all(only_json(nic.details) for nic in domain.info.nics)

    def test_texts_are_plain_texts(self, domain: Domain) -> None:
        for name in ("native_id", "uuid", "name", "hypervisor", "node", "folder", "notes"):
            value = getattr(domain.info, name)
            assert value is None or type(value) is str, f"{name} is a {type(value).__name__}"
        assert type(domain.info.power_state) is PowerState

    def test_a_record_survives_pickle_and_copy(self, domain: Domain) -> None:
        for same in (pickle.loads(pickle.dumps(domain.info)), copy.copy(domain.info), copy.deepcopy(domain.info)):
            assert same == domain.info
            assert hash(same) == hash(domain.info)

    def test_a_record_is_frozen(self, domain: Domain) -> None:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            domain.info.name = "other"
        with pytest.raises(TypeError):
            domain.info.metadata["key"] = "value"

    def test_a_field_that_was_not_fetched_says_so(self, host: Host, domain: Domain) -> None:
        (listed,) = [item.info for item in host.domains() if item.native_id == domain.native_id]
        missing = set(FIELD_GROUPS["config"]) - listed.loaded
        for name in missing:
            with pytest.raises(errors.NotLoadedError) as not_loaded:
                getattr(listed, name)
            assert name in str(not_loaded.value)
            assert not_loaded.value.hint
        assert "notes" in missing, "a summary that fetches more than it was asked for costs more"
        assert repr(listed)
        assert listed == pickle.loads(pickle.dumps(listed))

    def test_two_readings_of_the_same_are_equal(self, domain: Domain) -> None:
        before = domain.refresh().info
        assert domain.refresh().info == before

    def test_times_are_aware_utc_and_plausible(self, domain: Domain) -> None:
        info = domain.info
        for name in ("created_at", "started_at", "seen_at"):
            value: datetime | None = getattr(info, name)
            assert value is None or value.utcoffset() == timedelta(0), f"{name} is not UTC"
        assert abs(datetime.now(UTC) - info.seen_at) < timedelta(minutes=5)

    def test_a_domain_that_is_off_has_not_started(self, domain: Domain) -> None:
        assert domain.info.started_at is None

    def test_sizes_are_bytes(self, domain: Domain, spec: DomainSpec) -> None:
        if not self.may_create and domain.info.memory_bytes != spec.memory_bytes:
            pytest.skip("NOT CHECKED: `domain` was not made from `spec`")
        assert domain.info.memory_bytes == spec.memory_bytes
        assert domain.info.vcpus == spec.vcpus
        assert domain.info.max_memory_bytes is None or domain.info.max_memory_bytes >= spec.memory_bytes
        assert domain.info.max_vcpus is None or domain.info.max_vcpus >= spec.vcpus
        sizes = [disk.size_bytes for disk in spec.disks if disk.device == "disk"]
        found = [disk.capacity_bytes for disk in domain.info.disks if disk.device == "disk"]
        if None not in sizes:  # a copy is as large as what it was made from
            assert all(size is None or size in sizes for size in found)

    def test_devices_have_ids_of_their_own(self, domain: Domain) -> None:
        for devices in (domain.info.disks, domain.info.nics):
            ids = [device.id for device in devices]
            assert len(ids) == len(set(ids))
            assert all(ids)
        for nic in domain.info.nics:
            assert nic.mac is None or re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2}){5}", nic.mac)

    def test_addresses_are_addresses_with_a_source(self, host: Host, running: Domain) -> None:
        needs(host, Capability.GUEST_INFO)
        info = running.refresh().info
        for address in info.addresses:
            ip = ipaddress.ip_address(address.ip)
            assert str(ip) == address.ip
            assert not ip.is_loopback
            assert not ip.is_unspecified
            assert address.prefix_length is None or 0 < address.prefix_length <= ip.max_prefixlen
            assert address.source in ("agent", "lease", "arp")
        assert info.agent in ("running", "stopped", "absent", "unknown", None)

    def test_fields_of_the_record_are_fields_of_the_handle(self, domain: Domain) -> None:
        for name in domain.info.loaded:
            assert getattr(domain, name) == getattr(domain.info, name)

    def test_a_verb_leaves_addresses_not_loaded(self, host: Host, domain: Domain, patience: float) -> None:
        needs(host, Capability.START, Capability.GUEST_INFO)
        domain.start(timeout=patience)
        assert isinstance(domain.info, DomainInfo)
        check_loaded(domain.info, "config")
        assert "addresses" not in domain.info.loaded, "an address from before would be a lie"

    def test_the_repr_is_short_and_names_the_domain(self, host: Host, domain: Domain) -> None:
        assert domain.name in repr(domain)
        assert len(repr(domain)) < 300
        assert len(repr(host)) < 300
