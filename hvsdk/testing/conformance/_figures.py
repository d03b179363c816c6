"""What can be asked besides: figures, screens, consoles, what is behind a host."""

from __future__ import annotations

import json
import struct
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import DomainStats
from hvsdk.testing.conformance._fixtures import Kit
from hvsdk.testing.conformance._helpers import needs, until

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Behind", "Consoles", "Figures"]

RATES: Final = [f.name for f in attrs.fields(DomainStats) if f.name.endswith("_per_second")] + ["cpu_ratio"]
COUNTERS: Final = [name.removesuffix("_per_second") for name in RATES if name != "cpu_ratio"] + ["cpu_seconds"]


class Figures(Kit):
    """Statistics are counters, or rates with their interval."""

    def check_figures(self, stats: DomainStats) -> None:
        """Check one domain's figures."""
        for name in (*COUNTERS, *RATES):
            value = getattr(stats, name)
            assert value is None or value >= 0, f"{name} is {value}"
        if any(getattr(stats, name) is not None for name in RATES):
            assert stats.interval_seconds, "a rate without the interval that it holds for"
            assert stats.interval_seconds > 0
        assert stats.at.utcoffset() is not None
        json.dumps(stats.to_dict(), allow_nan=False)

    @staticmethod
    def has_figures(stats: DomainStats) -> bool:
        """Return whether there is anything in them; a product that measures rates has none of a domain's first seconds."""
        return any(getattr(stats, name) is not None for name in (*COUNTERS, *RATES))

    def test_a_running_domain_has_figures(self, host: Host, running: Domain, patience: float) -> None:
        needs(host, Capability.STATS)
        assert until(lambda: self.has_figures(running.stats()), patience=patience, pause=0.5), "no figure at all"
        stats = running.stats()
        assert stats.native_id == running.native_id
        self.check_figures(stats)
        assert stats.vcpus in (running.vcpus, None)

    def test_all_running_domains_have_figures(self, host: Host, running: Domain, patience: float) -> None:
        needs(host, Capability.STATS)
        assert until(lambda: all(map(self.has_figures, host.stats())), patience=patience, pause=0.5), "none at all"
        found = host.stats()
        ids = [stats.native_id for stats in found]
        assert running.native_id in ids
        assert len(ids) == len(set(ids))
        for stats in found:
            self.check_figures(stats)

    def test_counters_do_not_go_back(self, host: Host, running: Domain) -> None:
        needs(host, Capability.STATS)
        earlier = running.stats()
        later = running.stats()
        assert until(lambda: running.stats().at > earlier.at, patience=30)
        for name in COUNTERS:
            before, after = getattr(earlier, name), getattr(later, name)
            assert before is None or after is None or after >= before, f"{name} went back"
        rates = running.stats().rate_since(earlier)
        assert rates.interval_seconds

    def test_a_domain_that_is_off_is_not_among_the_running(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.STATS)
        assert domain.native_id not in [stats.native_id for stats in host.stats()]


class Consoles(Kit):
    """Consoles and screens."""

    def test_a_console_says_where_it_is(self, host: Host, running: Domain) -> None:
        needs(host, Capability.CONSOLE)
        console = running.console()
        assert console.kind
        assert console.url or console.port or console.path, "a console that cannot be reached"

    def test_a_console_shows_no_secret(self, host: Host, running: Domain) -> None:
        needs(host, Capability.CONSOLE)
        console = running.console()
        shown = f"{console!r} {console.to_dict()} {json.dumps(console.to_dict())}"
        for secret in (console.password, console.token):
            assert not secret or secret not in shown

    def test_a_screenshot_is_a_png(self, host: Host, running: Domain) -> None:
        needs(host, Capability.SCREENSHOT)
        image = running.screenshot()
        assert type(image) is bytes
        assert image.startswith(b"\x89PNG\r\n\x1a\n"), "not a PNG"
        length, kind, width, height = struct.unpack(">I4sII", image[8:24])
        assert (length, kind) == (13, b"IHDR")
        assert width > 0
        assert height > 0
        assert struct.unpack(">I", image[29:33])[0] == zlib.crc32(image[12:29])
        assert image.rstrip(b"\0").endswith(b"IEND\xaeB`\x82")

    def test_a_domain_that_is_off_has_no_screen(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SCREENSHOT)
        with pytest.raises(errors.PowerStateError) as refused:
            domain.screenshot()
        assert refused.value.state in (PowerState.SHUTOFF, None)


class Behind(Kit):
    """The host, its nodes and networks."""

    def test_a_host_says_what_it_is(self, host: Host) -> None:
        info = host.info()
        assert info.product
        assert json.loads(json.dumps(info.to_dict())) == info.to_dict()
        assert host.info() == info

    def test_the_clock_of_a_host_goes_on(self, host: Host) -> None:
        first, second = (host.info().clock for _ in range(2))
        if first is None or second is None:
            pytest.skip("this host does not tell what time it is there")
        assert first.utcoffset() == second.utcoffset() == timedelta(0)
        assert first <= second < first + timedelta(hours=1)

    def test_networks_are_listed(self, host: Host) -> None:
        needs(host, Capability.LIST_NETWORKS)
        found = host.networks()
        assert len({network.id for network in found}) == len(found)
        for network in found:
            assert network.name
            json.dumps(network.to_dict())

    def test_nodes_are_listed(self, host: Host) -> None:
        needs(host, Capability.LIST_NODES)
        found = host.nodes()
        assert found
        assert len({node.id for node in found}) == len(found)
        for node in found:
            assert node.state in ("up", "down", "maintenance", "unknown")
            assert node.memory_bytes is None or node.memory_bytes > 1 << 20, "memory is in bytes"

    def test_a_running_domain_is_on_one_of_the_nodes(self, host: Host, running: Domain) -> None:
        needs(host, Capability.LIST_NODES)
        assert running.info.node is None or running.info.node in [node.name for node in host.nodes()]

    def test_the_clients_own_object_is_there(self, host: Host) -> None:
        needs(host, Capability.NATIVE)
        assert host.native() is not None
