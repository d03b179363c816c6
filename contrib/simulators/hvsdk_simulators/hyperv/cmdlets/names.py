"""Names as cmdlets take them: without regard to case, and with wildcards."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["matches"]


def matches(name: str, pattern: str) -> bool:
    """Return whether a name is what a cmdlet's `-Name` means: `*` and `?`, `[a-c]`, and a backtick before what is none."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts, at = [], 0
    while at < len(pattern):
        one = pattern[at]
        end = pattern.find("]", at + 2)
        if one == "`" and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        elif one == "[" and end > 0:
            parts.append("[" + re.escape(pattern[at + 1 : end]).replace("\\-", "-") + "]")
            at = end
        else:
            parts.append({"*": ".*", "?": "."}.get(one) or re.escape(one))
        at += 1
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
