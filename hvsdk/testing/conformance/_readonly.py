"""Read-only connections change nothing, and show nothing that they were not allowed to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.models import DiskSpec, DomainSpec, NicSpec
from hvsdk.testing.conformance._fixtures import Kit
from hvsdk.testing.conformance._helpers import check_loaded

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["ReadOnly"]

CHANGING: Final[dict[str, Callable[[Domain], object]]] = {
    "start": lambda domain: domain.start(),
    "shutdown": lambda domain: domain.shutdown(),
    "power_off": lambda domain: domain.power_off(),
    "reboot": lambda domain: domain.reboot(),
    "reset": lambda domain: domain.reset(),
    "pause": lambda domain: domain.pause(),
    "unpause": lambda domain: domain.unpause(),
    "suspend": lambda domain: domain.suspend(),
    "resume": lambda domain: domain.resume(),
    "delete": lambda domain: domain.delete(),
    "clone": lambda domain: domain.clone("kit-clone"),
    "migrate": lambda domain: domain.migrate(domain.host),
    "reconfigure": lambda domain: domain.reconfigure(vcpus=1),
    "attach_disk": lambda domain: domain.attach_disk(DiskSpec(size="8MiB")),
    "attach_nic": lambda domain: domain.attach_nic(NicSpec()),
    "insert_media": lambda domain: domain.insert_media("/kit.iso"),
    "eject_media": lambda domain: domain.eject_media(),
    "create_snapshot": lambda domain: domain.create_snapshot("kit-snapshot"),
    "rename": lambda domain: domain.rename("kit-renamed"),
    "set_notes": lambda domain: domain.set_notes("kit"),
    "set_tags": lambda domain: domain.set_tags(["kit"]),
    "set_metadata": lambda domain: domain.set_metadata({"kit.key": "x"}),
    "set_autostart": lambda domain: domain.set_autostart(True),
    "fence": lambda domain: domain.fence("kit"),
    "unfence": lambda domain: domain.unfence(),
    "create_domain": lambda domain: domain.host.create_domain(DomainSpec(name="kit-domain", memory="64MiB")),
}
GUARDED: Final[dict[str, Callable[[Domain], object]]] = {
    "console": lambda domain: domain.console(),
    "open_disk": lambda domain: domain.open_disk("disk"),
    "native": lambda domain: domain.host.native(),
}


class ReadOnly(Kit):
    """`readonly=True` and `allow=`."""

    @pytest.fixture
    def readable(self, domain: Domain, connect_readonly: Callable[..., Host]) -> Domain:
        """Return a domain on a read-only host: the kit's own, or any where each connection has a world of its own."""
        host = connect_readonly()
        if domain.host.supports(Capability.MULTIPROCESS):
            return host.domain(domain.native_id)
        for other in host.domains():
            return other
        pytest.fail("connect_readonly must see at least one domain")

    @pytest.mark.parametrize("verb", CHANGING)
    def test_a_readonly_host_changes_nothing(self, host: Host, readable: Domain, verb: str) -> None:
        if not host.supports(Capability(verb)) and verb not in ("fence", "unfence"):
            pytest.skip(f"the host has no {verb} anyway")
        before = readable.refresh().info
        assert readable.why_not(verb)
        with pytest.raises(errors.PermissionDeniedError):
            CHANGING[verb](readable)
        assert readable.refresh().info == before

    @pytest.mark.parametrize("verb", GUARDED)
    def test_a_readonly_host_guards_what_shows_too_much(self, host: Host, readable: Domain, verb: str) -> None:
        if not host.supports(Capability(verb)):
            pytest.skip(f"the host has no {verb} anyway")  # and without disks, none that could be named
        with pytest.raises((errors.PermissionDeniedError, errors.UnsupportedError)):
            GUARDED[verb](readable)

    def test_what_is_allowed_is_shown(self, connect_readonly: Callable[..., Host]) -> None:
        host = connect_readonly(allow={"native"})
        if not host.supports(Capability.NATIVE):
            pytest.skip("the host has no native object")
        assert host.native() is not None

    def test_a_readonly_host_reads(self, readable: Domain) -> None:
        check_loaded(readable.refresh().info, "config")
        assert readable.host.info().product
