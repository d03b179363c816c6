"""What a domain whose memory is on disk refuses, beside the power verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import DiskSpec, NicSpec
from hvsdk.testing.conformance._fixtures import Kit, Reach
from hvsdk.testing.conformance._helpers import Names, needs, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Suspended"]

REFUSED: Final[dict[str, Callable[[Domain, Names], object]]] = {
    "create_snapshot": lambda domain, names: domain.create_snapshot(names("snapshot")),
    "clone": lambda domain, names: domain.clone(names("clone")),
    "reconfigure": lambda domain, names: domain.reconfigure(vcpus=2),
    "attach_disk": lambda domain, names: domain.attach_disk(DiskSpec(size="4MiB")),
    "detach_disk": lambda domain, names: domain.detach_disk(domain.info.disks[0]),
    "resize_disk": lambda domain, names: domain.resize_disk(domain.info.disks[0], "64TiB"),
    "attach_nic": lambda domain, names: domain.attach_nic(NicSpec()),
    "detach_nic": lambda domain, names: domain.detach_nic(domain.info.nics[0]),
}


class Suspended(Kit):
    """A saved memory and the hardware it was saved with belong together."""

    @pytest.mark.parametrize("verb", REFUSED)
    def test_a_suspended_domain_is_not_changed(
        self, host: Host, domain: Domain, reach: Reach, names: Names, verb: str
    ) -> None:
        needs(host, Capability(verb))
        if ("disk" in verb and not domain.info.disks) or ("nic" in verb and not domain.info.nics):
            pytest.skip(f"the domain has nothing to {verb}")
        reach(domain, PowerState.SUSPENDED)
        before = (domain.info.disks, domain.info.nics, domain.info.vcpus)
        assert domain.why_not(verb)
        with pytest.raises(errors.PowerStateError) as refused:
            REFUSED[verb](domain, names)
        assert refused.value.state is PowerState.SUSPENDED
        after = stands_in(domain)
        assert after.power_state is PowerState.SUSPENDED
        assert (after.info.disks, after.info.nics, after.info.vcpus) == before
        assert not host.domains(name=names("clone"))
