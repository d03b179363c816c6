"""Name, notes, tags, metadata and autostart.

Hyper-V has a name, one field of notes, and what a host does with a machine at its own start. Everything else is in the notes
(`_notes.py`): they are read, changed here, and written only where they are still what was read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from hvsdk.driver import Deadline, DomainInfo, Target, errors

from hvsdk_hyperv._listing import ListingReads
from hvsdk_hyperv._notes import Notes, read_notes

__all__ = ["LabelVerbs", "refuse_name", "wrong_name"]

_TRIES = 20
_MOST_REMEMBERED = 256
_LONGEST_NAME = 100
_NO_CHARACTERS = frozenset({"Cc", "Zl", "Zp"})
"""Categories of Unicode: controls, and what ends lines and paragraphs."""
_NOTHING, _START, _IF_IT_RAN = "Nothing", "Start", "StartIfRunning"


@attrs.frozen
class _Labels:
    """What a machine's labels are made of, as it was seen last."""

    notes: str
    start_action: str


class LabelVerbs(ListingReads):
    """`rename` to `set_autostart`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._seen: dict[str, _Labels] = {}

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> DomainInfo:
        """Give it another name, in any state; its files keep theirs."""
        refuse_name(name)
        record = self.call("labels.rename", {"id": native_id, "name": name}, deadline=deadline)
        return self.domain_info(record)

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        self.change_notes(native_id, lambda before: before.with_text(notes), deadline)

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        self.change_notes(native_id, lambda before: attrs.evolve(before, tags=tags), deadline)

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        self.change_notes(native_id, lambda before: before.with_metadata(changes), deadline)

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        """Say whether it starts with its host.

        Hyper-V's usual answer, "if it ran before", counts as yes: it is left alone, and comes back when autostart is
        switched off and on again.
        """

        def change(before: Notes, action: str) -> tuple[Notes, str]:
            if enabled is (action != _NOTHING):
                return before, action
            if enabled:
                return attrs.evolve(before, start_action=None), before.start_action or _START
            return attrs.evolve(before, start_action=action if action != _START else None), _NOTHING

        self._change(native_id, change, deadline)

    # ---- for the other parts -----------------------------------------------------------------------------

    def change_notes(self, native_id: str, change: Callable[[Notes], Notes], deadline: Deadline) -> None:
        """Write other notes in place of those that are there, in one exchange where they are known already."""
        self._change(native_id, lambda before, action: (change(before), action), deadline)

    def remember_labels(self, native_id: str, notes: str, start_action: str) -> None:
        """Keep what a machine's labels were when it was seen last: the next change may then take one exchange."""
        self._seen.pop(native_id, None)
        self._seen[native_id] = _Labels(notes, start_action)
        if len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def domain_info(self, record: Mapping[str, Any]) -> DomainInfo:
        config = record["config"]
        if config is not None:
            self.remember_labels(record["id"], config["notes"], config["start_action"])
        return super().domain_info(record)

    # ---- inside ------------------------------------------------------------------------------------------

    def _change(self, native_id: str, change: Callable[[Notes, str], tuple[Notes, str]], deadline: Deadline) -> None:
        """Change what labels are made of: again with what they are now, when somebody else changed them meanwhile."""
        before = self._seen.get(native_id)
        if before is None:
            now = self.call("labels.get", {"id": native_id}, deadline=deadline)
            before = _Labels(now["notes"], now["start_action"])
        for _ in range(_TRIES):
            notes, action = change(read_notes(before.notes), before.start_action)
            arguments = {
                "id": native_id,
                "notes": notes.write(),
                "start_action": action if action != before.start_action else None,
                "expected": attrs.asdict(before),
            }
            answer = self.call("labels.set", arguments, deadline=deadline)
            now = answer["now"]
            before = _Labels(now["notes"], now["start_action"])
            self.remember_labels(native_id, before.notes, before.start_action)
            if answer["done"]:
                return
        raise errors.BusyError("the notes of the domain are being changed all the time", hint="try again later")


def wrong_name(name: str) -> str | None:
    """Return why a domain cannot be called so."""
    if len(name) > _LONGEST_NAME:
        return f"names have {_LONGEST_NAME} characters at most"
    if any(unicodedata.category(one) in _NO_CHARACTERS for one in name):
        return "names have no line breaks and no other control characters"
    return None


def refuse_name(name: str) -> None:
    """Refuse a name that Hyper-V has for no domain.

    Raises:
        InvalidSpecError: It is one.
    """
    why = wrong_name(name)
    if why is not None:
        raise errors.InvalidSpecError(f"Hyper-V cannot call a domain {name!r}: {why}")
