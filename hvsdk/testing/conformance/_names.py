"""Odd names: either they work whole, or nothing is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.models import DomainSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names, needs

if TYPE_CHECKING:
    from collections.abc import Callable

    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._storage import Volume

__all__ = ["OddNames"]

ODD: Final = {
    "single quote": "it's",
    "double quote": 'a "b" c',
    "back quote": "`id`",
    "shell": "$(touch /tmp/x); echo",
    "newline": "two\nlines",
    "xml": "<name>&amp;]]>",
    "unicode": "żółć-漢字-🦀",
    "slash": "../../etc/passwd",
    "backslash": "a\\b",
    "percent": "50%41 %s",
    "blanks": "two  words",
    "comma": "a,b;c:d",
    "dash": "--help",
    "wild card": "*?[a]",
    "uuid": "00000000-0000-4000-8000-000000000007",
}
odd = pytest.mark.parametrize("rest", ODD.values(), ids=list(ODD))


def padded(names: Names, length: int) -> str:
    """Return a name of exactly this length."""
    return names("x" * (length - len(names(""))))


class OddNames(Kit):
    """Names are data: nothing in them is carried out, cut or changed."""

    def check_whole(self, host: Host, domain: Domain, name: str) -> None:
        """Check that a domain of an odd name is a domain like any other."""
        assert domain.name == name
        assert host.domain(domain.native_id).name == name
        assert host.domain(name) == domain
        assert name in [item.name for item in host.domains()]
        assert name in [item.name for item in host.domains(include=("config",))]
        if host.supports(Capability.START) and host.supports(Capability.POWER_OFF):
            domain.start()
            domain.power_off()

    @odd
    def test_a_domain_of_an_odd_name(
        self, host: Host, make_domain: MakeDomain, names: Names, patience: float, rest: str
    ) -> None:
        name = names(rest)
        try:
            domain = make_domain(name=name)
        except errors.InvalidSpecError:
            assert not [item.name for item in host.domains() if names.owns(item.name)], "refused, but made"
            return
        self.check_whole(host, domain, name)
        if host.supports(Capability.DELETE):
            domain.delete(disks="delete")
            assert not [item.name for item in host.domains() if names.owns(item.name)]

    @pytest.mark.parametrize("length", [63, 64, 80])
    def test_a_domain_of_a_long_name(self, host: Host, make_domain: MakeDomain, names: Names, length: int) -> None:
        name = padded(names, length)
        try:
            domain = make_domain(name=name)
        except errors.InvalidSpecError:
            assert not [item.name for item in host.domains() if names.owns(item.name)], "refused, but made"
            return
        self.check_whole(host, domain, name)

    @odd
    def test_an_odd_new_name(self, host: Host, domain: Domain, names: Names, rest: str) -> None:
        needs(host, Capability.RENAME)
        old = domain.name
        try:
            domain.rename(names(rest))
        except errors.InvalidSpecError:
            assert host.domain(domain.native_id).name == old
            return
        self.check_whole(host, domain, names(rest))

    @odd
    def test_a_snapshot_of_an_odd_name(self, host: Host, domain: Domain, names: Names, rest: str) -> None:
        needs(host, Capability.CREATE_SNAPSHOT, Capability.LIST_SNAPSHOTS)
        try:
            made = domain.create_snapshot(names(rest))
        except errors.InvalidSpecError:
            assert domain.snapshots() == []
            return
        assert [snapshot.name for snapshot in domain.snapshots()] == [names(rest)]
        assert domain.snapshot(names(rest)).id == made.id
        if host.supports(Capability.DELETE_SNAPSHOT):
            made.delete()
            assert domain.snapshots() == []

    @odd
    def test_a_volume_of_an_odd_name(
        self, host: Host, make_volume: Callable[..., Volume], names: Names, rest: str
    ) -> None:
        needs(host, Capability.LIST_VOLUMES)
        try:
            volume = make_volume(rest)
        except errors.InvalidSpecError:
            return
        assert volume.name == names(rest)
        assert volume.pool.volume(volume.id).name == names(rest)

    @pytest.mark.parametrize("name", ["", "  ", "nul\0byte", "half \ud800"], ids=["empty", "blank", "nul", "surrogate"])
    def test_names_that_cannot_be_are_refused_everywhere(self, host: Host, domain: Domain, name: str) -> None:
        with pytest.raises(errors.InvalidSpecError):
            DomainSpec(name=name, memory="64MiB")
        for verb in ("rename", "clone", "create_snapshot"):
            if host.supports(Capability(verb)):
                with pytest.raises(errors.InvalidSpecError):
                    getattr(domain, verb)(name)
