"""What can be written on a domain: names, notes, tags, metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.errors import InvalidSpecError

__all__ = ["RESERVED", "check_metadata", "check_name", "check_tags", "check_text"]

RESERVED = "hvsdk."
"""Metadata keys that begin so are hvsdk's own; users cannot set them."""


def check_name(value: Any) -> str:
    """Return a name of a domain or snapshot, if it can be one anywhere; each product refuses more by itself.

    Raises:
        InvalidSpecError: It is empty, no text, or holds a NUL or half a character.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidSpecError(f"a name is a text that is not blank, not {value!r}")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidSpecError(f"the name {value!r} holds a character that no product can store")
    return value


def check_metadata(values: Mapping[str, str | None]) -> None:
    """Raise `InvalidSpecError` unless keys and values can be stored everywhere and are the user's to set."""
    if not isinstance(values, Mapping):
        raise InvalidSpecError(f"metadata is a mapping of texts, not {values!r}")
    for key, value in values.items():
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}", key):
            raise InvalidSpecError(
                f"{key!r} cannot be a metadata key", hint="letters, digits and . _ : / - (at most 128)"
            )
        if key.startswith(RESERVED):
            raise InvalidSpecError(f"the metadata key {key!r} is hvsdk's own; choose another prefix")
        if value is not None:
            check_text("a metadata value", value)


def check_text(what: str, value: Any) -> str:
    """Return `value` if it is text that every product can store (XML's characters).

    Raises:
        InvalidSpecError: It is no text or holds control characters other than tab and newline.
    """
    if not isinstance(value, str):
        raise InvalidSpecError(f"{what} is a text, not {value!r}")
    if re.search("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ud800-\udfff\ufffe\uffff]", value):
        raise InvalidSpecError(f"{what} holds a control character, which not every product can store: {value!r}")
    return value


def check_tags(values: Iterable[str]) -> frozenset[str]:
    """Return tags as a frozenset.

    Raises:
        InvalidSpecError: One is blank, holds a comma, newline or control character, or is longer than 128 characters.
    """
    if isinstance(values, str):
        raise InvalidSpecError(f"tags are several texts, not one: [{values!r}]?")
    if not isinstance(values, Iterable):
        raise InvalidSpecError(f"tags are several texts, not {values!r}")
    tags = frozenset(values)
    for tag in tags:
        check_text("a tag", tag)
        if not tag.strip() or tag != tag.strip() or len(tag) > 128 or any(c in tag for c in ",\n\t"):
            raise InvalidSpecError(f"{tag!r} cannot be a tag", hint="no comma, no newline, no blanks at the ends")
    return tags
