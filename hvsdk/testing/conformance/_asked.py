"""What a specification asks for: there afterwards, or refused. Nothing is passed over in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from hvsdk import errors
from hvsdk.models import CpuTopology, DiskSpec, NicSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names, stands_in

if TYPE_CHECKING:
    from hvsdk._host import Host
    from hvsdk.models import DomainInfo

__all__ = ["Asked"]

REFUSED = (errors.InvalidSpecError, errors.UnsupportedError, errors.NotFoundError)
MAC: Final = "52:54:00:c0:ff:0e"


@attrs.frozen
class Wish:
    """Fields of a specification, and where the record has to show them."""

    asked: Mapping[str, Any]
    shown: Callable[[DomainInfo], object]
    expected: object


def _sizes(info: DomainInfo) -> list[object]:
    """Return the sizes of the disks, for those products that tell them with the domain."""
    return [disk.capacity_bytes for disk in info.disks if disk.device == "disk"]


def _disks(info: DomainInfo) -> int:
    return sum(disk.device == "disk" for disk in info.disks)


WISHES: Final[Mapping[str, Wish]] = {
    "vcpus": Wish({"vcpus": 2}, lambda info: info.vcpus, 2),
    "memory": Wish({"memory": "96MiB"}, lambda info: info.memory_bytes, 96 << 20),
    "cpu_topology": Wish(
        {"vcpus": 2, "cpu_topology": CpuTopology(sockets=1, cores=2)},
        lambda info: info.cpu_topology,
        CpuTopology(sockets=1, cores=2),
    ),
    "firmware": Wish({"firmware": "uefi"}, lambda info: info.firmware, "uefi"),
    "no disks": Wish({"disks": ()}, _disks, 0),
    "disks": Wish({"disks": (DiskSpec(size="12MiB"), DiskSpec(size="20MiB"))}, _disks, 2),
    "drive": Wish({"disks": (DiskSpec(device="cdrom"),)}, lambda info: [disk.device for disk in info.disks], ["cdrom"]),
    "serial": Wish(
        {"disks": (DiskSpec(size="12MiB", serial="KIT-7"),)}, lambda info: [d.serial for d in info.disks], ["KIT-7"]
    ),
    "no nics": Wish({"nics": ()}, lambda info: len(info.nics), 0),
    "nics": Wish({"nics": (NicSpec(), NicSpec())}, lambda info: len(info.nics), 2),
    "mac": Wish({"nics": (NicSpec(mac=MAC),)}, lambda info: [nic.mac for nic in info.nics], [MAC]),
    "link down": Wish({"nics": (NicSpec(link_up=False),)}, lambda info: [nic.link_up for nic in info.nics], [False]),
    "autostart": Wish({"autostart": True}, lambda info: info.autostart, True),
    "notes": Wish({"notes": "kit & <notes>"}, lambda info: info.notes, "kit & <notes>"),
    "tags": Wish({"tags": {"one", "two"}}, lambda info: info.tags, frozenset({"one", "two"})),
    "metadata": Wish({"metadata": {"kit.owner": "me"}}, lambda info: info.metadata.get("kit.owner"), "me"),
}


class Asked(Kit):
    """`create_domain`, whatever else the backend can do: as asked, or refused before anything is made."""

    def check_refused(self, host: Host, names: Names) -> None:
        """Check that a refusal left no domain."""
        left = [item.name for item in host.domains(templates=True, superseded=True) if names.owns(item.name)]
        assert left == [], "refused, but a domain was left"

    @pytest.mark.parametrize("wish", WISHES)
    def test_what_is_asked_for_is_there_or_refused(
        self, host: Host, make_domain: MakeDomain, names: Names, wish: str
    ) -> None:
        asked = WISHES[wish]
        try:
            domain = make_domain(**asked.asked)
        except REFUSED:
            self.check_refused(host, names)
            return
        for info in (domain.info, stands_in(domain).info):
            assert asked.shown(info) == asked.expected, f"asked for {asked.asked}, made without it, and nothing said"

    def test_disks_have_the_size_that_was_asked_for(self, make_domain: MakeDomain) -> None:
        try:
            info = stands_in(make_domain(disks=[DiskSpec(size="12MiB"), DiskSpec(size="20MiB")])).info
        except REFUSED:
            return
        told = [size for size in _sizes(info) if size is not None]
        assert told in ([], [12 << 20, 20 << 20])

    def test_media_is_in_a_drive_or_refused(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        """No fixture `image` is needed: an image that is not there is to be noticed too."""
        try:
            info = stands_in(make_domain(media=f"/{names('no-such-image')}.iso")).info
        except REFUSED:
            self.check_refused(host, names)
            return
        drives = [disk for disk in info.disks if disk.device == "cdrom" and (disk.source or disk.volume)]
        assert drives, "media= was passed over"

    def test_a_template_that_is_not_there_is_refused(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        with pytest.raises(REFUSED):
            make_domain(template=names("no-such-template"))
        self.check_refused(host, names)

    def test_a_board_that_is_not_there_is_told_or_refused(
        self, host: Host, make_domain: MakeDomain, names: Names
    ) -> None:
        board = "kit-no-such-board"
        try:
            info = stands_in(make_domain(machine=board)).info
        except REFUSED:
            self.check_refused(host, names)
            return
        assert board in info.details.values(), "machine= was passed over"

    def test_an_unknown_hint_of_its_own_is_told_or_refused(
        self, host: Host, make_domain: MakeDomain, names: Names
    ) -> None:
        """A slip in the key of a hint must not go unnoticed; keys begin with the backend's name."""
        key = f"{host.backend}.kit_no_such_hint"
        try:
            info = stands_in(make_domain(hints={key: "kit"})).info
        except REFUSED:
            self.check_refused(host, names)
            return
        assert key in info.details, f"the hint {key!r} was passed over"

    def test_hints_of_other_products_are_ignored(self, make_domain: MakeDomain) -> None:
        domain = make_domain(hints={"kit-other.setting": "x"})
        assert stands_in(domain) == domain
