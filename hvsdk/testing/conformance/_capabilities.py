"""Capabilities tell the truth, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from inspect import getattr_static
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.driver import Driver
from hvsdk.enums import PowerState
from hvsdk.models import CloudInit, DiskSpec, NicSpec, VolumeSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, concerns

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Capabilities"]

C = Capability
NEARLY: Final = 0.8
"""How alike two names are of which one is taken for a slip, from 0 to 1."""
ON_DOMAIN: Final[dict[Capability, Callable[[Domain, Names], object]]] = {
    C.START: lambda domain, names: domain.start(),
    C.SHUTDOWN: lambda domain, names: domain.shutdown(timeout=1),
    C.POWER_OFF: lambda domain, names: domain.power_off(),
    C.REBOOT: lambda domain, names: domain.reboot(),
    C.RESET: lambda domain, names: domain.reset(),
    C.PAUSE: lambda domain, names: domain.pause(),
    C.UNPAUSE: lambda domain, names: domain.unpause(),
    C.SUSPEND: lambda domain, names: domain.suspend(),
    C.RESUME: lambda domain, names: domain.resume(),
    C.DELETE: lambda domain, names: domain.delete(),
    C.CLONE: lambda domain, names: domain.clone(names("clone")),
    C.CLONE_LINKED: lambda domain, names: domain.clone(names("clone"), linked=True),
    C.MIGRATE: lambda domain, names: domain.migrate(domain.host),
    C.MIGRATE_NODE: lambda domain, names: domain.migrate(node="kit-node"),
    C.MIGRATE_STORAGE: lambda domain, names: domain.migrate(pool="kit-pool"),
    C.RECONFIGURE: lambda domain, names: domain.reconfigure(vcpus=2),
    C.ATTACH_DISK: lambda domain, names: domain.attach_disk(DiskSpec(size="8MiB")),
    C.DETACH_DISK: lambda domain, names: domain.detach_disk(domain.info.disks[0].id),
    C.RESIZE_DISK: lambda domain, names: domain.resize_disk(domain.info.disks[0].id, "32MiB"),
    C.ATTACH_NIC: lambda domain, names: domain.attach_nic(NicSpec()),
    C.DETACH_NIC: lambda domain, names: domain.detach_nic(domain.info.nics[0].id),
    C.SET_NIC_LINK: lambda domain, names: domain.set_nic_link(domain.info.nics[0].id, False),
    C.INSERT_MEDIA: lambda domain, names: domain.insert_media("/kit.iso"),
    C.EJECT_MEDIA: lambda domain, names: domain.eject_media(),
    C.LIST_SNAPSHOTS: lambda domain, names: domain.snapshots(),
    C.CREATE_SNAPSHOT: lambda domain, names: domain.create_snapshot(names("snapshot")),
    C.SNAPSHOT_QUIESCE: lambda domain, names: domain.create_snapshot(names("snapshot"), quiesce=True),
    C.RENAME: lambda domain, names: domain.rename(names("renamed")),
    C.SET_NOTES: lambda domain, names: domain.set_notes("notes"),
    C.SET_TAGS: lambda domain, names: domain.set_tags(["tag"]),
    C.SET_METADATA: lambda domain, names: domain.set_metadata({"kit.key": "value"}),
    C.SET_AUTOSTART: lambda domain, names: domain.set_autostart(True),
    C.CONSOLE: lambda domain, names: domain.console(),
    C.SCREENSHOT: lambda domain, names: domain.screenshot(),
    C.STATS: lambda domain, names: domain.stats(),
    C.OPEN_DISK: lambda domain, names: domain.open_disk(domain.info.disks[0].id),
}
"""How each capability is asked for on a domain that is off."""
WHILE_RUNNING: Final[dict[Capability, Callable[[Domain, Names], object]]] = {
    C.SNAPSHOT_RUNNING: lambda domain, names: domain.create_snapshot(names("snapshot")),
    C.SNAPSHOT_MEMORY: lambda domain, names: domain.create_snapshot(names("snapshot"), memory=True),
    C.CLONE_RUNNING: lambda domain, names: domain.clone(names("clone")),
    C.CLONE_LINKED_RUNNING: lambda domain, names: domain.clone(names("clone"), linked=True),
    C.HOTPLUG_DISK: lambda domain, names: domain.attach_disk(DiskSpec(size="8MiB")),
    C.HOTPLUG_NIC: lambda domain, names: domain.attach_nic(NicSpec()),
    C.RESIZE_DISK_RUNNING: lambda domain, names: domain.resize_disk(domain.info.disks[0].id, "32MiB"),
}
"""Likewise on one that runs; without the capability the verb itself may be there, so its state may be the reason."""
ON_HOST: Final[dict[Capability, Callable[[Host, Names], object]]] = {
    C.LIST_NETWORKS: lambda host, names: host.networks(),
    C.LIST_STORAGE_POOLS: lambda host, names: host.storage_pools(),
    C.LIST_NODES: lambda host, names: host.nodes(),
    C.STATS: lambda host, names: host.stats(),
    C.NATIVE: lambda host, names: host.native(),
    C.LIST_VOLUMES: lambda host, names: host.storage_pools()[0].volumes(),
    C.CREATE_VOLUME: lambda host, names: host.storage_pools()[0].create_volume(
        VolumeSpec(name=names("volume"), size="4MiB")
    ),
}
SPECS: Final[dict[Capability, dict[str, object]]] = {
    C.CREATE_WITH_UUID: {"uuid": "5a1b2c3d-4e5f-4a6b-8c7d-0000000000aa"},
    C.UEFI: {"firmware": "uefi"},
    C.SECURE_BOOT: {"firmware": "uefi", "secure_boot": True},
    C.CLOUD_INIT: {"cloud_init": CloudInit(user_data="#cloud-config\n")},
}
PAIRS: Final = (
    (C.SUSPEND, C.RESUME),
    (C.PAUSE, C.UNPAUSE),
    (C.START, C.POWER_OFF),
    (C.FENCE, C.UNFENCE),
    (C.CREATE_SNAPSHOT, C.LIST_SNAPSHOTS),
    (C.CREATE_SNAPSHOT, C.REVERT_SNAPSHOT),
    (C.CREATE_SNAPSHOT, C.DELETE_SNAPSHOT),
    (C.SNAPSHOT_RUNNING, C.CREATE_SNAPSHOT),
    (C.SNAPSHOT_MEMORY, C.CREATE_SNAPSHOT),
    (C.SNAPSHOT_QUIESCE, C.CREATE_SNAPSHOT),
    (C.CLONE_LINKED, C.CLONE),
    (C.CLONE_RUNNING, C.CLONE),
    (C.CLONE_LINKED_RUNNING, C.CLONE_LINKED),
    (C.MIGRATE_LIVE, C.MIGRATE),
    (C.MIGRATE_NODE, C.MIGRATE),
    (C.MIGRATE_STORAGE, C.MIGRATE),
    (C.HOTPLUG_DISK, C.ATTACH_DISK),
    (C.HOTPLUG_NIC, C.ATTACH_NIC),
    (C.RESIZE_DISK_RUNNING, C.RESIZE_DISK),
    (C.RECONFIGURE_RUNNING, C.RECONFIGURE),
    (C.SECURE_BOOT, C.UEFI),
    (C.DISK_RANDOM_READ, C.OPEN_DISK),
    (C.DISK_READ_SNAPSHOT, C.OPEN_DISK),
    (C.CREATE_DOMAIN, C.DELETE),
    (C.ATTACH_DISK, C.DETACH_DISK),
    (C.ATTACH_NIC, C.DETACH_NIC),
    (C.INSERT_MEDIA, C.EJECT_MEDIA),
)
"""Whoever has the first needs the second to keep its promise."""


def refused(error: errors.UnsupportedError) -> None:
    """Check that a refusal says why."""
    assert str(error)
    assert error.backend
    assert error.host


class Capabilities(Kit):
    """What is declared works (the other tests see to that); what is not raises `UnsupportedError`."""

    def test_capabilities_are_a_frozen_set_of_members(self, host: Host) -> None:
        assert isinstance(host.capabilities, frozenset)
        assert all(type(item) is Capability for item in host.capabilities)
        with pytest.raises(AttributeError):
            host.capabilities = frozenset()  # type: ignore[misc]

    def test_no_method_of_the_driver_is_nearly_one_of_the_contract(self, host: Host) -> None:
        own = host._door.driver_class
        contract = {name for name in dir(Driver) if not name.startswith("_")}
        absent = [name for name in contract if getattr_static(own, name) is getattr_static(Driver, name)]
        for name in sorted(name for name in dir(own) if not name.startswith("_") and name not in contract):
            near = get_close_matches(name, absent, cutoff=NEARLY)
            assert not near, f"{own.__name__}.{name} is no part of the contract: is it meant to be {' or '.join(near)}?"

    @pytest.mark.parametrize("capability", Capability, ids=lambda capability: capability.value)
    def test_why_not_agrees_with_supports(self, host: Host, capability: Capability) -> None:
        assert host.supports(capability) is (capability in host.capabilities)
        assert host.supports(capability.value) is host.supports(capability)
        reason = host.why_not(capability)
        assert (reason is None) is host.supports(capability)
        assert reason is None or reason.strip()

    @pytest.mark.parametrize(("capability", "needed"), PAIRS, ids=lambda item: item.value)
    def test_a_capability_comes_with_what_it_needs(
        self, host: Host, capability: Capability, needed: Capability
    ) -> None:
        assert not host.supports(capability) or host.supports(needed)

    def test_fencing_by_the_product_or_by_a_mark(self, host: Host) -> None:
        if host.supports(C.SET_METADATA):
            assert host.supports(C.FENCE) or host.supports(C.FENCE_MARK)

    @pytest.mark.parametrize("capability", ON_DOMAIN, ids=lambda capability: capability.value)
    def test_an_undeclared_verb_is_unsupported(
        self, host: Host, domain: Domain, names: Names, capability: Capability
    ) -> None:
        self.absent(host, capability)
        if ("disk" in capability and not domain.info.disks) or ("nic" in capability and not domain.info.nics):
            pytest.skip(f"the domain has nothing to try {capability.value} on")
        before = domain.refresh().info
        assert domain.why_not(capability.value)
        with pytest.raises(errors.UnsupportedError) as failed:
            ON_DOMAIN[capability](domain, names)
        refused(failed.value)
        assert domain.refresh().info == before

    @pytest.mark.parametrize("capability", WHILE_RUNNING, ids=lambda capability: capability.value)
    def test_an_undeclared_variant_is_refused(
        self, host: Host, domain: Domain, names: Names, reach: Reach, capability: Capability
    ) -> None:
        self.absent(host, capability)
        before = reach(domain, PowerState.RUNNING).info
        if "disk" in capability and not before.disks:
            pytest.skip("the domain has no disk")
        with pytest.raises((errors.UnsupportedError, errors.PowerStateError)):
            WHILE_RUNNING[capability](domain, names)
        after = domain.refresh().info
        assert (after.power_state, after.disks, after.nics) == (PowerState.RUNNING, before.disks, before.nics)

    @pytest.mark.parametrize("capability", ON_HOST, ids=lambda capability: capability.value)
    def test_an_undeclared_question_is_unsupported(self, host: Host, names: Names, capability: Capability) -> None:
        self.absent(host, capability)
        if capability in (C.LIST_VOLUMES, C.CREATE_VOLUME) and not (
            host.supports(C.LIST_STORAGE_POOLS) and host.storage_pools()
        ):
            pytest.skip("the host has no storage pool to try it on")
        with pytest.raises(errors.UnsupportedError) as failed:
            ON_HOST[capability](host, names)
        refused(failed.value)

    @pytest.mark.parametrize("capability", SPECS, ids=lambda capability: capability.value)
    def test_an_undeclared_wish_for_a_new_domain_is_refused(
        self, host: Host, make_domain: MakeDomain, names: Names, capability: Capability
    ) -> None:
        self.absent(host, capability)
        with pytest.raises((errors.UnsupportedError, errors.InvalidSpecError)):
            make_domain(**SPECS[capability])
        assert not host.domains(name=f"{names.token}*")

    @staticmethod
    def absent(host: Host, capability: Capability) -> None:
        """Skip where the capability is declared."""
        if host.supports(capability):
            pytest.skip(f"{host.backend} declares {capability.value}; other tests check that it works")
        concerns(capability)
