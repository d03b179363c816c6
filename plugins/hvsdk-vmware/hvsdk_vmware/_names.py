"""Names: vSphere writes `%`, `/` and `\\` in them as `%25`, `%2f` and `%5c`, which people neither see nor type."""

from __future__ import annotations

import re

from hvsdk.driver import errors

__all__ = ["LONGEST_NAME", "shown", "written"]

LONGEST_NAME = 80
"""Characters of a domain's name, as vSphere counts them once it has written them."""
_WRITTEN = {"%": "%25", "/": "%2f", "\\": "%5c"}
_ESCAPED = re.compile("%(25|2f|5c)", re.IGNORECASE)
_SPECIAL = re.compile(r"[%/\\]")


def shown(name: str) -> str:
    """Return a name of the server's as people see it."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name) if "%" in name else name


def written(name: str) -> str:
    """Return a name as the server writes it.

    Raises:
        InvalidSpecError: It holds none such.
    """
    found = _SPECIAL.sub(lambda special: _WRITTEN[special[0]], name)
    if not name.strip() or len(found) > LONGEST_NAME:
        raise errors.InvalidSpecError(f"vSphere's names have 1 to {LONGEST_NAME} characters, {name!r} has {len(found)}")
    return found
