"""Making, copying and removing domains, with more or less than was asked for."""

from __future__ import annotations

import html

from broken.cases import Insider, caught_by
from hvsdk.driver import Capability
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._power import switch_on


@caught_by("test_delete_keeps_the_disks")
class DeleteTakesDisks(FakeDriver):
    """Disks go whether that was asked for or not."""

    def delete(self, native_id, *, disks, deadline):
        return super().delete(native_id, disks="delete", deadline=deadline)


@caught_by("test_delete_with_disks_removes_its_own_volumes")
class DeleteLeavesDisks(FakeDriver):
    """Disks stay whether that was asked for or not."""

    def delete(self, native_id, *, disks, deadline):
        return super().delete(native_id, disks="keep", deadline=deadline)


@caught_by("test_delete_never_removes_images")
class DeleteTakesImages(Insider):
    """All that is plugged in goes."""

    def delete(self, native_id, *, disks, deadline):
        with self.inside(native_id) as (_, config):
            volumes = [drive.volume for drive in config.drives if drive.volume is not None]
        result = super().delete(native_id, disks=disks, deadline=deadline)
        for volume in volumes:
            volume.pool.volumes.pop(volume.id, None)
        return result


@caught_by("test_delete_never_takes_what_a_linked_clone_lies_on")
class DeleteTakesBackings(Insider):
    """The ground below a linked clone goes."""

    def delete(self, native_id, *, disks, deadline):
        with self.inside(native_id):
            for pool in self._world.pools.values():
                for volume in pool.volumes.values():
                    volume.backing = None
        return super().delete(native_id, disks=disks, deadline=deadline)


@caught_by("test_delete_refuses_a_volume_that_another_domain_has")
class DeleteTakesShared(Insider):
    """A disk that another domain has too goes."""

    def delete(self, native_id, *, disks, deadline):
        with self.inside(native_id) as (_, config):
            volumes = [drive.volume for drive in config.drives if drive.device == "disk"]
        result = super().delete(native_id, disks="keep", deadline=deadline)
        for volume in volumes if disks == "delete" else []:
            volume.pool.volumes.pop(volume.id, None)
        return result


@caught_by("test_a_clone_is_somebody_else")
class CloneKeepsMacs(Insider):
    """Two machines with one address."""

    def clone(self, native_id, name, *, linked, deadline):
        info = super().clone(native_id, name, linked=linked, deadline=deadline)
        with self.inside(native_id) as (_, old), self.inside(info.native_id) as (_, new):
            for one, other in zip(old.adapters, new.adapters, strict=True):
                other.mac = one.mac
        return self.get_domain(info.native_id, frozenset({"config"}), deadline=deadline)


@caught_by("test_a_clone_outlives_the_original")
class CloneIsLinkedAnyway(FakeDriver):
    """Whole copies that lie on the original."""

    def clone(self, native_id, name, *, linked, deadline):
        return super().clone(native_id, name, linked=True, deadline=deadline)


@caught_by("test_a_linked_clone_lies_on_the_original")
class LinkedCloneIsWhole(FakeDriver):
    """A lie in the capabilities: linked clones are whole copies."""

    variants = FakeDriver.variants | {Capability.CLONE_LINKED}

    def clone(self, native_id, name, *, linked, deadline):
        return super().clone(native_id, name, linked=False, deadline=deadline)


@caught_by("test_a_new_domain_is_off")
class CreateStarts(Insider):
    """A new domain runs at once."""

    def create_domain(self, spec, *, deadline):
        info = super().create_domain(spec, deadline=deadline)
        with self.inside(info.native_id) as (domain, _):
            switch_on(self._world, domain)
        return self.get_domain(info.native_id, frozenset({"config"}), deadline=deadline)


@caught_by("test_macs_are_as_asked")
class CreateChoosesMacs(FakeDriver):
    """The product's own MACs in place of those that were asked for."""

    def create_domain(self, spec, *, deadline):
        return super().create_domain(spec.replace(nics=[nic.replace(mac=None) for nic in spec.nics]), deadline=deadline)


@caught_by("test_the_uuid_is_as_asked")
class CreateChoosesUuids(FakeDriver):
    """Declares that it takes UUIDs, and gives its own."""

    def create_domain(self, spec, *, deadline):
        return super().create_domain(spec.replace(uuid=None), deadline=deadline)


@caught_by("test_firmware_is_as_asked")
class CreateIgnoresFirmware(FakeDriver):
    """UEFI is silently BIOS."""

    def create_domain(self, spec, *, deadline):
        return super().create_domain(spec.replace(firmware="bios", secure_boot=False), deadline=deadline)


@caught_by("test_what_cannot_be_leaves_nothing[network]")
class CreateLeavesHalf(Insider):
    """A domain without its adapter is left when the adapter cannot be."""

    def create_domain(self, spec, *, deadline):
        info = super().create_domain(spec.replace(nics=[]), deadline=deadline)
        for nic in spec.nics:
            self.attach_nic(info.native_id, nic, deadline=deadline)
        return self.get_domain(info.native_id, frozenset({"config"}), deadline=deadline)


@caught_by("test_what_cannot_be_leaves_nothing[pool]")
class CreateTakesAnyPool(FakeDriver):
    """A pool that is not there is silently another one."""

    def create_domain(self, spec, *, deadline):
        disks = [disk.replace(pool=None) for disk in spec.disks]
        return super().create_domain(spec.replace(disks=disks), deadline=deadline)


@caught_by("test_a_domain_of_a_long_name[80]")
class CutsNames(FakeDriver):
    """Names are cut without a word."""

    def create_domain(self, spec, *, deadline):
        return super().create_domain(spec.replace(name=spec.name[:63]), deadline=deadline)


@caught_by("test_a_domain_of_an_odd_name[xml]")
class UnescapesNames(FakeDriver):
    """Names go through a template."""

    def create_domain(self, spec, *, deadline):
        return super().create_domain(spec.replace(name=html.unescape(spec.name)), deadline=deadline)


@caught_by("test_a_domain_of_an_odd_name[newline]")
class RefusesTooLate(FakeDriver):
    """A name is refused when the domain is there already."""

    def create_domain(self, spec, *, deadline):
        info = super().create_domain(spec.replace(name=spec.name.replace("\n", " ")), deadline=deadline)
        if "\n" in spec.name:
            raise FakeError("INVALID_PARAMETER", "no newlines in names")
        return info


@caught_by("test_what_is_cancelled_leaves_nothing_or_all[create_domain]", query="&tasks=1")
class CancelLeavesHalf(FakeDriver):
    """What a cancelled task had made stays, and the task says that it was undone."""

    def create_domain(self, spec, *, deadline):
        info = self._at_once(spec, deadline)

        def work():
            yield
            return info

        return self.carry_out("create_domain", None, work(), cancellable=True)

    def _at_once(self, spec, deadline):
        self.settings.tasks = False
        try:
            return super().create_domain(spec, deadline=deadline)
        finally:
            self.settings.tasks = True


@caught_by("test_progress_is_told_as_a_share", query="&tasks=1")
class ProgressInPercent(FakeDriver):
    """33.3 in place of 0.333."""

    def create_domain(self, spec, *, deadline):
        task = super().create_domain(spec, deadline=deadline)
        poll = task.poll

        def percent():
            done, share, result = poll()
            return done, share * 100, result

        task.poll = percent
        return task


@caught_by("test_a_moved_domain_is_there_and_not_here[SHUTOFF]")
class MigrateCopies(Insider):
    """The original stays."""

    def migrate(self, native_id, target, *, node, pool, live, deadline):
        with self.inside(native_id) as (domain, _):
            here = self._world
        there = super().migrate(native_id, target, node=node, pool=pool, live=live, deadline=deadline)
        with here.lock:
            here.domains[native_id] = domain
            domain.native_id, new = native_id, domain.native_id
            target._world.domains[new] = domain
        return there


@caught_by("test_a_domain_moves_to_a_named_node_and_stays_the_same[RUNNING]")
class MigrateChoosesTheNode(Insider):
    """The product's choice instead of the caller's."""

    def migrate(self, native_id, target, *, node, pool, live, deadline):
        with self.inside(native_id) as (domain, _):
            node = domain.node
        return super().migrate(native_id, target, node=node, pool=pool, live=live, deadline=deadline)


@caught_by("test_a_domains_disks_move_to_a_named_storage_pool")
class MigrateLeavesTheDisks(Insider):
    """The domain moves and its disks stay."""

    def migrate(self, native_id, target, *, node, pool, live, deadline):
        with self.inside(native_id) as (domain, _):
            node = domain.node
        return super().migrate(native_id, target, node=node, pool=None, live=live, deadline=deadline)


@caught_by("test_what_is_not_there_is_no_place_to_move_to")
class MigrateAnywhere(Insider):
    """A node that is not there is taken for any."""

    def check_migrate(self, native_id, target, *, node, pool, live, deadline):
        return None

    def migrate(self, native_id, target, *, node, pool, live, deadline):
        with self.inside(native_id) as (domain, _):
            node = domain.node
        return super().migrate(native_id, target, node=node, pool=pool, live=live, deadline=deadline)
