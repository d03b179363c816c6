"""What a server says, made safe to show to a person."""

from __future__ import annotations

import unicodedata

__all__ = ["cut", "neutralise", "pad", "width"]

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters that show as nothing: with them two names could look the same."""
_MARKS = 4
"""Combining marks that one letter may carry; more of them paint over the lines above and below."""


def neutralise(text: str) -> str:
    """Return `text` on one line, without anything that a terminal obeys or a reader cannot see.

    Control characters (and so ANSI and OSC sequences), line breaks, bidirectional overrides, invisible characters and
    half characters become backslash escapes, `\\x1b` or `\\u202e`. Letters of all scripts stay as they are. It does not
    escape HTML.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    room = 0
    for character in text:
        mark = unicodedata.category(character) in ("Mn", "Me")
        room = room - 1 if mark else _MARKS
        plain = character.isprintable() and character not in _BLANK and room >= 0
        if mark and not shown:
            plain, room = False, 0
        shown.append(character if plain else _escaped(character))
    return "".join(shown)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """Return how many columns of a terminal a neutralised text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, columns: int) -> str:
    """Return a neutralised text in at most `columns` columns, with `…` for what did not fit."""
    if width(text) <= columns:
        return text
    kept: list[str] = []
    used = 1
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept) + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return a neutralised text filled up with blanks to `columns` columns; `right` puts the text on the right."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks
