"""What is written in a virtual machine's notes: the user's text, and below it a block with tags, metadata and the like.

Hyper-V has one field for text and none for anything else. The block is for people to read and for hvsdk to keep:

    Runs the shop. Ask Ann before you stop it.

    [hvsdk:1 tags and metadata, kept by hvsdk]
    {
     "metadata": {"team.owner": "ann"},
     "tags": ["prod"]
    }
    [/hvsdk]

Whatever somebody writes before or after it by hand is the user's text. A block that cannot be read is text as well: it is
shown as such, told of, and kept whatever is written later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

__all__ = ["DAMAGED", "Notes", "read_notes"]

_BEGIN: Final = "[hvsdk:1 tags and metadata, kept by hvsdk]"
_END: Final = "[/hvsdk]"
_ANY_BEGIN: Final = re.compile(r"^[ \t]*\[hvsdk:(?P<version>[0-9]+)(?:[ \t][^\]\n]*)?\][ \t\r]*$", re.MULTILINE)
_ANY_END: Final = re.compile(r"^[ \t]*\[/hvsdk\][ \t\r]*$", re.MULTILINE)
_LOOKS_LIKE_ONE: Final = re.compile(r"\[(?=/?hvsdk\b)", re.IGNORECASE)
_VERSION: Final = "1"
DAMAGED: Final = "damaged"
"""What `Notes.problem` says of a block that cannot be read."""


@attrs.frozen(kw_only=True)
class Notes:
    """What the notes of one virtual machine say.

    Attributes:
        text: The user's text.
        tags: Labels without a value.
        metadata: Keys and values of tools.
        links: What adapters were on when their cable was unplugged, by the adapter's id: `{"switch", "name"}`.
        start_action: What Hyper-V did at its own start before autostart was switched off.
        kept: Blocks that could not be read and would be lost otherwise.
        other: What else was in the block: of later versions, or written by hand.
        problem: What is wrong with the block, if anything.
    """

    text: str = ""
    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    links: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    start_action: str | None = None
    kept: tuple[str, ...] = ()
    other: Mapping[str, Any] = attrs.field(factory=dict)
    problem: str | None = None

    def with_text(self, text: str) -> Notes:
        """Return them with another text; of a damaged block, which was part of the text, what is lost is kept."""
        kept = self.kept if self.problem is None else (*self.kept, self.text)
        return attrs.evolve(self, text=text, kept=kept, problem=None)

    def with_metadata(self, changes: Mapping[str, str | None]) -> Notes:
        """Return them with these keys changed; those whose value is None go."""
        values = {**self.metadata, **changes}
        return attrs.evolve(self, metadata={key: value for key, value in values.items() if value is not None})

    def with_link(self, adapter: str, switch: Mapping[str, str] | None) -> Notes:
        """Return them with what an adapter was on, or without."""
        links = {key: value for key, value in self.links.items() if key != adapter}
        if switch is not None:
            links[adapter] = dict(switch)
        return attrs.evolve(self, links=links)

    def write(self) -> str:
        """Return what is stored: the text alone where there is nothing else to keep."""
        shown = self.text if _is_plain(self.text) else _rendition(self.text)
        values: dict[str, Any] = dict(self.other)
        values |= {"tags": sorted(self.tags), "metadata": dict(sorted(self.metadata.items()))}
        values |= {"links": {key: dict(value) for key, value in self.links.items()}}
        values |= {"start_action": self.start_action, "kept": list(self.kept)}
        values = {key: value for key, value in values.items() if value not in (None, [], {})}
        if shown != self.text:
            values["text"] = self.text
        if not values:
            return self.text
        block = f"{_BEGIN}\n{json.dumps(values, indent=1, sort_keys=True)}\n{_END}"
        return f"{shown}\n\n{block}" if shown else block


def read_notes(stored: str) -> Notes:
    """Return what is stored in the notes of a virtual machine."""
    begin = _ANY_BEGIN.search(stored)
    if begin is None:
        return Notes(text=stored)
    end = _ANY_END.search(stored, begin.end())
    if end is None or begin["version"] != _VERSION:
        return Notes(text=stored, problem=DAMAGED if begin["version"] == _VERSION else f"version {begin['version']}")
    try:
        values = json.loads(stored[begin.end() : end.start()])
        fields = _fields(values)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Notes(text=stored, problem=DAMAGED)
    around = (stored[: begin.start()].strip(), stored[end.end() :].strip())
    shown = "\n".join(filter(None, around))
    exact = fields.pop("text")
    text = exact if exact is not None and _same(_rendition(exact), shown) else shown
    return Notes(text=text, **fields)


def _fields(values: Any) -> dict[str, Any]:
    """Return the fields of `Notes` that a block gives, checked.

    Raises:
        ValueError, TypeError, AttributeError: It is not of that form.
    """
    values = dict(values)
    fields = {
        "text": _text(values.pop("text", None)),
        "tags": frozenset(_texts(values.pop("tags", []))),
        "metadata": {key: _must(_text(value)) for key, value in values.pop("metadata", {}).items()},
        "links": {key: dict(_pairs(value)) for key, value in values.pop("links", {}).items()},
        "start_action": _text(values.pop("start_action", None)),
        "kept": tuple(_texts(values.pop("kept", []))),
    }
    return {**fields, "other": values}


def _pairs(value: Any) -> list[tuple[str, str]]:
    return [(key, _must(_text(one))) for key, one in value.items()]


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError("no list")
    return [_must(_text(value)) for value in values]


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("no text")
    return value


def _must(value: str | None) -> str:
    if value is None:
        raise TypeError("nothing")
    return value


# ---- the text that people see ----------------------------------------------------------------------------


def _is_plain(text: str) -> bool:
    """Whether a text can stand before the block, or alone, and be read back exactly."""
    return (
        text == text.strip()
        and not _LOOKS_LIKE_ONE.search(text)
        and all(one in "\n\t" or ord(one) >= 0x20 for one in text)
        and not re.search("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]", text)
    )


def _rendition(text: str) -> str:
    """Return how a text is shown that cannot stand as it is; the exact one is in the block."""
    return re.sub(
        "[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]",
        " ",
        _harmless(text),
    ).strip()


def _harmless(text: str) -> str:
    return _LOOKS_LIKE_ONE.sub("( ", text)


def _same(one: str, other: str) -> bool:
    """Whether two texts are the same but for the ends of their lines."""
    return one.replace("\r\n", "\n") == other.replace("\r\n", "\n")
