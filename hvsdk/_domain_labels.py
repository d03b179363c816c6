"""What a domain is called and what is written on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hvsdk._handle import Handle
from hvsdk._operation import CONFIG, Doing
from hvsdk.errors import InvalidSpecError
from hvsdk.models._checks import RESERVED, check_metadata, check_name, check_tags, check_text

if TYPE_CHECKING:
    from hvsdk._driver.base import Driver
    from hvsdk._verbs import Outcome
    from hvsdk.models import DomainInfo, Lineage

__all__ = ["LabelVerbs"]


class LabelVerbs(Handle):
    """Name, notes, tags, metadata, autostart, lineage and fence."""

    __slots__ = ()

    def rename(self, name: str, *, timeout: float = 60.0) -> None:
        """Give the domain another name.

        Raises:
            InvalidSpecError: The product cannot hold that name.
            AlreadyExistsError: Another domain has it, on a product where names are unique.
            PowerStateError: The product does not rename a domain in this state (libvirt: unless it is shut off).
        """
        check_name(name)

        def after(doing: Doing, outcome: Outcome[DomainInfo | None]) -> DomainInfo:
            info = outcome.info or outcome.result
            return info if info is not None and info.has("config") else doing.look(CONFIG, late=True)

        self._change(
            "rename",
            lambda driver, limit: driver.rename(self._info.native_id, name, deadline=limit),
            arguments={"name": name},
            timeout=timeout,
            after=after,
            reached=lambda info: info.name == name,
        )

    def set_notes(self, notes: str, *, timeout: float = 60.0) -> None:
        """Replace the free text that people read; an empty one removes it."""
        check_text("notes", notes)
        self._change(
            "set_notes",
            lambda driver, limit: driver.set_notes(self._info.native_id, notes, deadline=limit),
            arguments={"notes": notes},
            timeout=timeout,
            reached=lambda info: info.notes == notes,
        )

    def set_tags(self, tags: Iterable[str], *, timeout: float = 60.0) -> None:
        """Replace the tags by exactly these."""
        wanted = check_tags(tags)
        self._change(
            "set_tags",
            lambda driver, limit: driver.set_tags(self._info.native_id, wanted, deadline=limit),
            arguments={"tags": tuple(sorted(wanted))},
            timeout=timeout,
            reached=lambda info: info.tags == wanted,
        )

    def set_metadata(self, values: Mapping[str, str | None], *, timeout: float = 60.0) -> None:
        """Store key/values of tools; a key whose value is `None` is removed, keys that are not named stay.

        Keys look like `team.owner`. Those that begin with `hvsdk.` are hvsdk's own.

        Raises:
            InvalidSpecError: A key or value cannot be stored everywhere, or a key is not yours to set.
        """
        check_metadata(values)
        self._store(values, timeout)

    def _store(self, values: Mapping[str, str | None], timeout: float) -> None:
        changes = dict(values)

        def call(driver: Driver, limit: object) -> None:
            driver.set_metadata(self._info.native_id, changes, deadline=limit)  # type: ignore[arg-type]

        def reached(info: DomainInfo) -> bool:
            return all(info.metadata.get(key) == value for key, value in changes.items())

        self._change("set_metadata", call, arguments={"values": changes}, timeout=timeout, reached=reached)

    def set_autostart(self, enabled: bool, *, timeout: float = 60.0) -> None:
        """Say whether the domain starts with its node."""
        if not isinstance(enabled, bool):
            raise InvalidSpecError(f"autostart is True or False, not {enabled!r}")
        self._change(
            "set_autostart",
            lambda driver, limit: driver.set_autostart(self._info.native_id, enabled, deadline=limit),
            arguments={"enabled": enabled},
            timeout=timeout,
            reached=lambda info: info.autostart is enabled,
        )

    def set_lineage(
        self, *, moved_from: Lineage | None = None, superseded_by: Lineage | None = None, timeout: float = 60.0
    ) -> None:
        """Record where this domain came from or went to; `None` removes what was recorded.

        A domain with `superseded_by` is left out of `host.domains()`, as templates are, unless `superseded=True` asks for
        it and as far as the listing loads it.
        """
        from hvsdk.models._marks import write_mark

        marks = {"moved_from": moved_from, "superseded_by": superseded_by}
        self._store({RESERVED + k: None if mark is None else write_mark(mark) for k, mark in marks.items()}, timeout)

    def fence(self, reason: str, *, timeout: float = 60.0) -> None:
        """Keep the domain from running until it is unfenced.

        With `Capability.FENCE` the product itself refuses start, resume and revert to every client. Elsewhere
        (`FENCE_MARK`) autostart is switched off, the links are taken down, and a marker is left that hvsdk obeys; other
        clients can still start it. What was switched off is recorded and comes back with `unfence`.

        Raises:
            InvalidSpecError: The reason is blank.
            PowerStateError: The product fences only what is off.
        """
        from hvsdk._fencing import fence

        if not check_text("a reason", reason).strip():
            raise InvalidSpecError("say why it is fenced: whoever finds it so will want to know")
        fence(self, reason, timeout)

    def unfence(self, *, timeout: float = 60.0) -> None:
        """Take back `fence`; a domain that is not fenced is left as it is."""
        from hvsdk._fencing import unfence

        unfence(self, timeout)
