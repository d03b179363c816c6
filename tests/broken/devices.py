"""Hardware and labels that are not as the verb said."""

from __future__ import annotations

from broken.cases import Insider, caught_by
from hvsdk.driver import Applied
from hvsdk.testing.fake._driver import FakeDriver


@caught_by("test_a_disk_is_gone_when_detach_returns[SHUTOFF]")
class DetachOnlyAsks(FakeDriver):
    """The disk stays."""

    def detach_disk(self, native_id, disk_id, *, deadline):
        pass


@caught_by("test_a_detached_disk_keeps_its_volume")
class DetachTakesVolume(Insider):
    """The volume goes with the disk."""

    def detach_disk(self, native_id, disk_id, *, deadline):
        with self.inside(native_id) as (_, config):
            volume = config.drive(disk_id).volume
        super().detach_disk(native_id, disk_id, deadline=deadline)
        del volume.pool.volumes[volume.id]


@caught_by("test_a_disk_is_there_when_attach_returns[SHUTOFF]")
class AttachNamesAnother(Insider):
    """The id is that of a disk that was there before."""

    def attach_disk(self, native_id, disk, *, deadline):
        super().attach_disk(native_id, disk, deadline=deadline)
        with self.inside(native_id) as (_, config):
            return config.drives[0].id


@caught_by("test_a_disk_grows[SHUTOFF]")
class ResizeDoesNothing(FakeDriver):
    """The disk keeps its size."""

    def resize_disk(self, native_id, disk_id, size_bytes, *, deadline):
        pass


@caught_by("test_a_link_goes_down_and_up[SHUTOFF]")
class LinkStaysUp(FakeDriver):
    """The cable cannot be unplugged."""

    def set_nic_link(self, native_id, nic_id, up, *, deadline):
        pass


@caught_by("test_an_image_goes_in_and_out[SHUTOFF]")
class EjectDoesNothing(FakeDriver):
    """The image stays in the drive."""

    def eject_media(self, native_id, *, drive, deadline):
        pass


@caught_by("test_a_domain_that_is_off_takes_other_sizes")
class ForgetsMemorySize(FakeDriver):
    """vCPUs are changed, memory only in the answer."""

    def reconfigure(self, native_id, changes, *, deadline):
        super().reconfigure(native_id, changes.replace(memory=None), deadline=deadline)
        return Applied(live=changes.asked)


@caught_by("test_what_is_not_mentioned_stays")
class ResetsMemorySize(Insider):
    """What is not mentioned goes back to a default."""

    def reconfigure(self, native_id, changes, *, deadline):
        applied = super().reconfigure(native_id, changes, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            domain.memory_bytes = changes.memory_bytes or 512 * 2**20
        return applied


@caught_by("test_notes_are_stored_exactly[blanks]")
class StripsNotes(FakeDriver):
    """Blanks at the ends are lost."""

    def set_notes(self, native_id, notes, *, deadline):
        super().set_notes(native_id, notes.strip(), deadline=deadline)


@caught_by("test_tags_are_stored_exactly")
class LowersTags(FakeDriver):
    """Tags in lower case."""

    def set_tags(self, native_id, tags, *, deadline):
        super().set_tags(native_id, frozenset(tag.lower() for tag in tags), deadline=deadline)


@caught_by("test_tags_replace_those_before")
class AddsTags(Insider):
    """Tags are added, and never go."""

    def set_tags(self, native_id, tags, *, deadline):
        with self.inside(native_id) as (_, config):
            before = config.tags
        super().set_tags(native_id, tags | before, deadline=deadline)


@caught_by("test_metadata_are_merged")
class ReplacesMetadata(Insider):
    """Keys that are not named go."""

    def set_metadata(self, native_id, changes, *, deadline):
        with self.inside(native_id) as (_, config):
            config.metadata.clear()
        super().set_metadata(native_id, changes, deadline=deadline)


@caught_by("test_metadata_are_removed_by_none")
class EmptiesMetadata(FakeDriver):
    """A key that should go stays, empty."""

    def set_metadata(self, native_id, changes, *, deadline):
        super().set_metadata(native_id, {k: v or "" for k, v in changes.items()}, deadline=deadline)


@caught_by("test_keys_of_metadata_keep_their_case_and_signs")
class LowersKeys(FakeDriver):
    """Keys in lower case."""

    def set_metadata(self, native_id, changes, *, deadline):
        super().set_metadata(native_id, {k.lower(): v for k, v in changes.items()}, deadline=deadline)


@caught_by("test_labels_do_not_touch_each_other")
class TagsInNotes(Insider):
    """Tags live in the notes, and overwrite them."""

    def set_tags(self, native_id, tags, *, deadline):
        super().set_tags(native_id, tags, deadline=deadline)
        with self.inside(native_id) as (_, config):
            config.metadata = {}


@caught_by("test_autostart_is_switched")
class AutostartForEver(FakeDriver):
    """It can be switched on only."""

    def set_autostart(self, native_id, enabled, *, deadline):
        super().set_autostart(native_id, True, deadline=deadline)


@caught_by("test_a_domain_gets_another_name")
class RenamesInWordsOnly(FakeDriver):
    """The answer has the new name, the domain the old one."""

    def rename(self, native_id, name, *, deadline):
        return self.get_domain(native_id, frozenset({"config"}), deadline=deadline).replace(name=name)


@caught_by("test_an_odd_new_name[newline]")
class RenameCollapses(FakeDriver):
    """Line ends become blanks."""

    def rename(self, native_id, name, *, deadline):
        return super().rename(native_id, " ".join(name.split("\n")), deadline=deadline)


@caught_by("test_a_fenced_domain_does_not_start")
class FenceIsOnlyAMark(Insider):
    """Declares that the product fences, and only leaves a mark."""

    def fence(self, native_id, reason, *, deadline):
        super().fence(native_id, reason, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            domain.blocked = False


@caught_by("test_unfencing_brings_back_what_was_switched_off")
class UnfenceForgets(Insider):
    """Autostart stays off."""

    def unfence(self, native_id, *, deadline):
        super().unfence(native_id, deadline=deadline)
        with self.inside(native_id) as (_, config):
            config.autostart = False
