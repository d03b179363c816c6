"""Snapshots: the kind that was asked for, or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, needs, stands_in, unchecked

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["SnapshotKinds", "SnapshotTree", "Snapshots"]

CREATE, LIST, REVERT = Capability.CREATE_SNAPSHOT, Capability.LIST_SNAPSHOTS, Capability.REVERT_SNAPSHOT


class Snapshots(Kit):
    """Making and finding them."""

    def test_a_snapshot_is_made_and_listed(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, CREATE, LIST)
        made = domain.create_snapshot(names("first"), description="before the <upgrade> & after")
        (listed,) = domain.snapshots()
        assert listed.info == made.info
        assert listed.domain == domain
        assert listed.name == names("first")
        assert listed.info.description == "before the <upgrade> & after"
        assert listed.parent is None
        assert listed.is_current
        assert not listed.has_memory
        assert listed.created_at is None or listed.created_at.utcoffset() == timedelta(0)
        assert stands_in(domain).power_state is PowerState.SHUTOFF

    def test_a_snapshot_is_found_by_id_and_name(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, CREATE, LIST)
        made = domain.create_snapshot(names("first"))
        assert domain.snapshot(made.id).id == made.id
        assert domain.snapshot(names("first")).id == made.id

    def test_a_snapshot_that_is_not_there_is_not_found(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, LIST)
        assert domain.snapshots() == []
        with pytest.raises(errors.SnapshotNotFoundError):
            domain.snapshot(names("nothing"))

    def test_a_snapshot_that_is_gone_is_not_found(
        self, host: Host, domain: Domain, names: Names, patience: float
    ) -> None:
        needs(host, CREATE, LIST, REVERT, Capability.DELETE_SNAPSHOT)
        gone = domain.create_snapshot(names("gone"))
        domain.snapshot(gone.id).delete()
        with pytest.raises(errors.SnapshotNotFoundError):
            gone.revert(timeout=patience)

    def test_a_domain_goes_with_its_snapshots(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        needs(host, CREATE, Capability.DELETE)
        domain = make_domain()
        domain.create_snapshot(names("first"))
        domain.create_snapshot(names("second"))
        domain.delete(disks="delete")
        with pytest.raises(errors.DomainNotFoundError):
            host.domain(domain.native_id)
        assert not host.domains(name=f"{names.token}*", templates=True)


class SnapshotKinds(Kit):
    """Never silently weakened; a revert does what the kind promises."""

    def test_memory_and_quiesce_exclude_each_other(self, host: Host, running: Domain, names: Names) -> None:
        needs(host, CREATE, LIST)
        with pytest.raises(errors.InvalidSpecError):
            running.create_snapshot(names("both"), memory=True, quiesce=True)
        assert running.snapshots() == []

    def test_a_memory_snapshot_has_the_memory(self, host: Host, running: Domain, names: Names) -> None:
        needs(host, CREATE, LIST, Capability.SNAPSHOT_MEMORY)
        running.create_snapshot(names("memory"), memory=True)
        assert running.snapshot(names("memory")).has_memory is True
        assert stands_in(running).power_state is PowerState.RUNNING

    @pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.PAUSED], ids=lambda state: state.name)
    def test_a_memory_snapshot_needs_a_running_domain(
        self, host: Host, domain: Domain, reach: Reach, names: Names, state: PowerState
    ) -> None:
        needs(host, CREATE, LIST, Capability.SNAPSHOT_MEMORY)
        reach(domain, state)
        with pytest.raises(errors.PowerStateError):
            domain.create_snapshot(names("memory"), memory=True)
        assert domain.snapshots() == []

    def test_a_quiesced_snapshot_is_quiesced(
        self, host: Host, running: Domain, names: Names, guest_agent: bool | None
    ) -> None:
        needs(host, CREATE, LIST, Capability.SNAPSHOT_QUIESCE)
        if not guest_agent:
            unchecked("no agent in the guest: quiescing cannot be seen to work")
        running.create_snapshot(names("quiet"), quiesce=True)
        assert running.snapshot(names("quiet")).quiesced is True

    def test_quiescing_without_an_agent_is_refused(
        self, host: Host, running: Domain, names: Names, guest_agent: bool | None
    ) -> None:
        needs(host, CREATE, LIST, Capability.SNAPSHOT_QUIESCE)
        if guest_agent is not False:
            unchecked("no guest that is known to have no agent")
        with pytest.raises(errors.GuestAgentError):
            running.create_snapshot(names("quiet"), quiesce=True)
        assert running.snapshots() == []

    def test_a_snapshot_of_a_running_domain_leaves_it_running(self, host: Host, running: Domain, names: Names) -> None:
        needs(host, CREATE, LIST, Capability.SNAPSHOT_RUNNING)
        made = running.create_snapshot(names("disks"))
        assert not made.has_memory
        assert stands_in(running).power_state is PowerState.RUNNING

    def test_reverting_to_a_memory_snapshot_runs(
        self, host: Host, running: Domain, names: Names, patience: float
    ) -> None:
        needs(host, CREATE, REVERT, Capability.SNAPSHOT_MEMORY)
        snapshot = running.create_snapshot(names("memory"), memory=True)
        running.power_off(timeout=patience)
        snapshot.revert(timeout=patience)
        assert running.refresh().power_state is PowerState.RUNNING

    def test_reverting_to_a_memory_snapshot_brings_the_guest_back(
        self,
        host: Host,
        running: Domain,
        names: Names,
        patience: float,
        boot_id: Callable[[Domain], object],
    ) -> None:
        needs(host, CREATE, REVERT, Capability.SNAPSHOT_MEMORY)
        before = boot_id(running)
        snapshot = running.create_snapshot(names("memory"), memory=True)
        running.power_off(timeout=patience)
        running.start(timeout=patience)
        snapshot.revert(timeout=patience)
        assert boot_id(running) == before

    @pytest.mark.parametrize(
        "state", [PowerState.SHUTOFF, PowerState.RUNNING, PowerState.PAUSED], ids=lambda state: state.name
    )
    def test_reverting_to_a_snapshot_without_memory_is_off(
        self, host: Host, domain: Domain, reach: Reach, names: Names, state: PowerState, patience: float
    ) -> None:
        needs(host, CREATE, REVERT)
        snapshot = domain.create_snapshot(names("off"))
        reach(domain, state)
        snapshot.revert(timeout=patience)
        assert domain.refresh().power_state is PowerState.SHUTOFF

    def test_reverting_to_a_snapshot_made_while_running_is_off(
        self, host: Host, running: Domain, names: Names, patience: float
    ) -> None:
        needs(host, CREATE, REVERT, Capability.SNAPSHOT_RUNNING)
        running.create_snapshot(names("disks")).revert(timeout=patience)
        assert running.refresh().power_state is PowerState.SHUTOFF

    def test_reverting_discards_a_saved_memory(
        self, host: Host, domain: Domain, reach: Reach, names: Names, patience: float
    ) -> None:
        needs(host, CREATE, REVERT, Capability.SUSPEND)
        snapshot = domain.create_snapshot(names("off"))
        reach(domain, PowerState.SUSPENDED)
        snapshot.revert(timeout=patience)
        assert domain.refresh().power_state is PowerState.SHUTOFF

    def test_reverting_keeps_the_labels(self, host: Host, domain: Domain, names: Names, patience: float) -> None:
        needs(host, CREATE, REVERT)
        labels = (Capability.RENAME, Capability.SET_NOTES, Capability.SET_TAGS, Capability.SET_METADATA)
        snapshot = domain.create_snapshot(names("before"))
        new: dict[str, Any] = {
            "name": names("renamed"),
            "notes": "after",
            "tags": frozenset({"after"}),
            "metadata": {"kit.key": "x"},
        }
        old = domain.refresh().info
        for capability, (label, value) in zip(labels, new.items(), strict=True):
            if host.supports(capability):
                getattr(domain, f"set_{label}" if label != "name" else "rename")(value)
            else:
                new[label] = getattr(old, label)
        snapshot.revert(timeout=patience)
        info = stands_in(domain).info
        wanted = new | {"metadata": {**old.metadata, **new["metadata"]}}
        assert {label: getattr(info, label) for label in new} == wanted

    def test_a_fenced_domain_is_not_reverted(self, host: Host, domain: Domain, names: Names, patience: float) -> None:
        needs(host, CREATE, REVERT, LIST)
        if not (host.supports(Capability.FENCE) or host.supports(Capability.FENCE_MARK)):
            pytest.skip("the host fences nothing")
        snapshot = domain.create_snapshot(names("before"))
        domain.fence("moved")
        with pytest.raises(errors.HvsdkError):
            snapshot.revert(timeout=patience)
        assert stands_in(domain).info.fenced is not None


class SnapshotTree(Kit):
    """Parents, children and the one that the present state was made on."""

    def test_snapshots_form_a_tree(self, host: Host, domain: Domain, names: Names, patience: float) -> None:
        needs(host, CREATE, LIST, REVERT)
        root = domain.create_snapshot(names("root"))
        left = domain.create_snapshot(names("left"))
        root.revert(timeout=patience)
        right = domain.create_snapshot(names("right"))
        found = {snapshot.name: snapshot for snapshot in domain.snapshots()}
        assert {name: snapshot.parent for name, snapshot in found.items()} == {
            root.name: None,
            left.name: root.id,
            right.name: root.id,
        }
        assert [snapshot.name for snapshot in found.values() if snapshot.is_current] == [right.name]

    def test_deleting_a_snapshot_keeps_its_children(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, CREATE, LIST, Capability.DELETE_SNAPSHOT)
        first, second, third = (domain.create_snapshot(names(name)) for name in ("one", "two", "three"))
        second.delete()
        assert {snapshot.id: snapshot.parent for snapshot in domain.snapshots()} == {
            first.id: None,
            third.id: first.id,
        }

    def test_children_are_deleted_when_asked(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, CREATE, LIST, Capability.DELETE_SNAPSHOT)
        first, second, _ = (domain.create_snapshot(names(name)) for name in ("one", "two", "three"))
        second.delete(children=True)
        assert [snapshot.id for snapshot in domain.snapshots()] == [first.id]

    @pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING], ids=lambda state: state.name)
    def test_deleting_a_snapshot_leaves_the_domain_alone(
        self, host: Host, domain: Domain, reach: Reach, names: Names, state: PowerState
    ) -> None:
        needs(host, CREATE, LIST, Capability.DELETE_SNAPSHOT)
        snapshot = domain.create_snapshot(names("first"))
        before = [disk.id for disk in reach(domain, state).info.disks]
        snapshot.delete()
        after = stands_in(domain)
        assert after.power_state is state
        assert [disk.id for disk in after.info.disks] == before
        assert domain.snapshots() == []

    def test_changed_blocks_lie_within_the_disk(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, CREATE, Capability.CHANGED_BLOCKS)
        if not domain.info.disks:
            pytest.skip("the domain has no disk")
        disk = domain.info.disks[0]
        old = domain.create_snapshot(names("old"))
        new = domain.create_snapshot(names("new"))
        assert new.changed_blocks(old.id, disk.id) == new.changed_blocks(old, disk)
        with pytest.raises(errors.SnapshotNotFoundError):
            new.changed_blocks(names("no-such-snapshot"), disk)
        position = 0
        for extent in new.changed_blocks(old, disk):
            assert extent.offset >= position
            assert extent.length > 0
            position = extent.offset + extent.length
        assert disk.capacity_bytes is None or position <= disk.capacity_bytes
