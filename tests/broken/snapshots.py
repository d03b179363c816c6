"""Snapshots that are not what they are called."""

from __future__ import annotations

from broken.cases import Insider, caught_by
from hvsdk.driver import PowerState
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._power import switch_off, switch_on


@caught_by("test_a_memory_snapshot_has_the_memory")
class DropsMemory(FakeDriver):
    """A snapshot with memory is silently one without."""

    def create_snapshot(self, native_id, name, *, memory, quiesce, description, deadline):
        return super().create_snapshot(
            native_id, name, memory=False, quiesce=quiesce, description=description, deadline=deadline
        )


@caught_by("test_a_quiesced_snapshot_is_quiesced")
class DropsQuiesce(FakeDriver):
    """A quiesced snapshot is silently an ordinary one."""

    def create_snapshot(self, native_id, name, *, memory, quiesce, description, deadline):
        return super().create_snapshot(
            native_id, name, memory=memory, quiesce=False, description=description, deadline=deadline
        )


@caught_by("test_a_snapshot_is_made_and_listed")
class DropsDescriptions(FakeDriver):
    """What was written on it is gone."""

    def create_snapshot(self, native_id, name, *, memory, quiesce, description, deadline):
        return super().create_snapshot(
            native_id, name, memory=memory, quiesce=quiesce, description="", deadline=deadline
        )


@caught_by("test_a_snapshot_of_a_running_domain_leaves_it_running")
class PausesForSnapshots(Insider):
    """The domain stays paused."""

    def create_snapshot(self, native_id, name, *, memory, quiesce, description, deadline):
        snapshot = super().create_snapshot(
            native_id, name, memory=memory, quiesce=quiesce, description=description, deadline=deadline
        )
        with self.inside(native_id) as (domain, _):
            if domain.state is PowerState.RUNNING:
                self._world.set_state(domain, PowerState.PAUSED)
        return snapshot


@caught_by("test_reverting_to_a_memory_snapshot_runs")
class RevertStaysOff(Insider):
    """The memory comes back, and the domain does not run."""

    def revert_snapshot(self, native_id, snapshot_id, *, deadline):
        super().revert_snapshot(native_id, snapshot_id, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            switch_off(self._world, domain)


@caught_by("test_reverting_to_a_memory_snapshot_brings_the_guest_back")
class RevertBootsAnew(Insider):
    """The domain runs, with nothing in its memory."""

    def revert_snapshot(self, native_id, snapshot_id, *, deadline):
        super().revert_snapshot(native_id, snapshot_id, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            if domain.state is PowerState.RUNNING:
                switch_on(self._world, domain)


@caught_by("test_reverting_to_a_snapshot_without_memory_is_off[SHUTOFF]")
class RevertStarts(Insider):
    """The domain runs after a revert to a snapshot without memory."""

    def revert_snapshot(self, native_id, snapshot_id, *, deadline):
        super().revert_snapshot(native_id, snapshot_id, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            if domain.state is not PowerState.RUNNING:
                switch_on(self._world, domain)


@caught_by("test_deleting_a_snapshot_keeps_its_children")
class DeletesChildren(FakeDriver):
    """Children go along."""

    def delete_snapshot(self, native_id, snapshot_id, *, children, deadline):
        return super().delete_snapshot(native_id, snapshot_id, children=True, deadline=deadline)


@caught_by("test_children_are_deleted_when_asked")
class SparesChildren(FakeDriver):
    """Children stay."""

    def delete_snapshot(self, native_id, snapshot_id, *, children, deadline):
        return super().delete_snapshot(native_id, snapshot_id, children=False, deadline=deadline)


@caught_by("test_snapshots_form_a_tree")
class FlatTree(FakeDriver):
    """Nobody has a parent."""

    def list_snapshots(self, native_id, *, deadline):
        return [item.replace(parent=None) for item in super().list_snapshots(native_id, deadline=deadline)]


@caught_by("test_deleting_a_snapshot_leaves_the_domain_alone[RUNNING]")
class DeletePowersOff(Insider):
    """A merge that takes the domain down."""

    def delete_snapshot(self, native_id, snapshot_id, *, children, deadline):
        with self.inside(native_id) as (domain, _):
            switch_off(self._world, domain)
        return super().delete_snapshot(native_id, snapshot_id, children=children, deadline=deadline)
