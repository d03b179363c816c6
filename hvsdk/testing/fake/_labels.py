"""What people and tools write on a domain: name, notes, tags, metadata, autostart, the fence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hvsdk._driver.operation import current_operation
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._records import domain_info

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk.models import DomainInfo

__all__ = ["LabelVerbs"]


class LabelVerbs(Connection):
    """rename, set_notes, set_tags, set_metadata, set_autostart, fence, unfence. None of them looks at the power state."""

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> DomainInfo:
        """Give it another name; several domains may have the same one."""
        with self.round_trip("rename", deadline, native_id) as world:
            domain = world.domain(native_id)
            if not name.strip() or len(name) > 255:
                raise FakeError("INVALID_PARAMETER", f"a name has 1 to 255 characters, not {len(name)}")
            domain.name = name
            world.changed(domain)
            return domain_info(world, domain)

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        """Store the notes."""
        with self.round_trip("set_notes", deadline, native_id) as world:
            domain = world.domain(native_id)
            world.config(domain).notes = notes
            world.changed(domain)

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        """Store the tags."""
        with self.round_trip("set_tags", deadline, native_id) as world:
            domain = world.domain(native_id)
            world.config(domain).tags = tags
            world.changed(domain)

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        """Store these keys and leave all others alone."""
        with self.round_trip("set_metadata", deadline, native_id) as world:
            domain = world.domain(native_id)
            metadata = world.config(domain).metadata
            for key, value in changes.items():
                if value is None:
                    metadata.pop(key, None)
                else:
                    metadata[key] = value
            world.changed(domain)

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        """Say whether it starts with its node."""
        with self.round_trip("set_autostart", deadline, native_id) as world:
            domain = world.domain(native_id)
            world.config(domain).autostart = enabled
            world.changed(domain)

    def fence(self, native_id: str, reason: str, *, deadline: Deadline) -> None:
        """Block start, resume and revert, take autostart and links away, and note what was on. Twice changes nothing."""
        from hvsdk.models import FenceMark
        from hvsdk.models._marks import FENCE_KEY, write_mark

        with self.round_trip("fence", deadline, native_id) as world:
            domain = world.domain(native_id)
            config = world.config(domain)
            if domain.blocked:
                return
            operation = current_operation.get()
            mark = FenceMark(
                reason=reason,
                at=world.utc(),
                by=operation.actor if operation is not None else None,
                autostart=config.autostart,
                links=tuple(adapter.id for adapter in config.adapters if adapter.link_up),
            )
            domain.blocked = True
            config.autostart = False
            for adapter in config.adapters:
                adapter.link_up = False
            config.metadata[FENCE_KEY] = write_mark(mark)
            world.changed(domain)

    def unfence(self, native_id: str, *, deadline: Deadline) -> None:
        """Give back what the fence took; without one nothing happens."""
        from hvsdk.models import FenceMark
        from hvsdk.models._marks import FENCE_KEY, read_marks

        with self.round_trip("unfence", deadline, native_id) as world:
            domain = world.domain(native_id)
            config = world.config(domain)
            domain.blocked = False
            mark = next((m for m in read_marks(config.metadata).values() if isinstance(m, FenceMark)), None)
            config.metadata.pop(FENCE_KEY, None)
            if mark is not None:
                config.autostart = config.autostart or mark.autostart
                for adapter in config.adapters:
                    adapter.link_up = adapter.link_up or adapter.id in mark.links
                world.changed(domain)
