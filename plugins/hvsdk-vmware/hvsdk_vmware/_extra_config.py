"""Labels as they lie in a domain's `extraConfig`: keys and values that vSphere keeps without reading them.

A key whose value is empty is removed there, so that an empty text has to be written as something.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from hvsdk.driver import FENCE_KEY

__all__ = [
    "MADE_KEY",
    "METADATA_PREFIX",
    "PLACE_KEY",
    "SEED_KEY",
    "TAGS_KEY",
    "metadata_in",
    "of_one_domain",
    "read_tags",
    "read_value",
    "write_tags",
    "write_value",
]

METADATA_PREFIX = "hvsdk:"
"""What `Domain.metadata` calls `team.owner` is the key `hvsdk:team.owner`."""
MADE_KEY = "hvsdk-made"
"""Has what tells a domain made with a UUID that was chosen from one that somebody else makes with it at the same time."""
PLACE_KEY = "hvsdk-fenced-from"
"""Has the resource pool and host of a domain that a fence made a template: a template has no pool."""
SEED_KEY = "hvsdk-seed"
"""Has the path of a domain's image for cloud-init."""
TAGS_KEY = "hvsdk-tags"
_MARK = "\\"
_OF_ONE_DOMAIN = METADATA_PREFIX + FENCE_KEY.partition(".")[0] + "."


def of_one_domain(key: str) -> bool:
    """Whether an entry is about one domain, such as a fence or where it came from: a copy must not bear it."""
    return key.startswith(_OF_ONE_DOMAIN) or key in (PLACE_KEY, MADE_KEY, SEED_KEY)


def write_value(value: str) -> str:
    """Return a value as it is stored: an empty one, and one that begins with the mark for it, get the mark in front."""
    return _MARK + value if not value or value.startswith(_MARK) else value


def read_value(stored: str) -> str:
    """Return a value that is stored."""
    return stored.removeprefix(_MARK)


def metadata_in(entries: Mapping[str, str]) -> dict[str, str]:
    """Return a domain's metadata."""
    skip = len(METADATA_PREFIX)
    return {key[skip:]: read_value(value) for key, value in entries.items() if key.startswith(METADATA_PREFIX)}


def write_tags(tags: Iterable[str]) -> str:
    """Return tags as they are stored; no tags are no entry."""
    found = sorted(tags)
    return json.dumps(found, ensure_ascii=False) if found else ""


def read_tags(stored: str) -> frozenset[str]:
    """Return tags that are stored; what somebody else wrote there counts as none."""
    try:
        found = json.loads(stored) if stored else []
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(tag for tag in found if isinstance(tag, str)) if isinstance(found, list) else frozenset()
