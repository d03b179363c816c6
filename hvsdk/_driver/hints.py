"""Hints: wishes for one product, under keys that begin with its prefix. Those of other products are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from hvsdk import errors

__all__ = ["Hint", "read_hints"]


@attrs.frozen
class Hint:
    """What a key takes and does.

    Attributes:
        type: `str`, `int`, `bool`, or `Mapping` for texts by their keys.
        choices: The values there are, where not every text will do.
        least: The smallest number that it takes.
    """

    help: str
    type: type = str
    choices: tuple[str, ...] = ()
    least: int = 0

    def check(self, key: str, value: Any) -> Any:
        """Return a value that the key takes.

        Raises:
            InvalidSpecError: It takes no such value; the hint says what it takes.
        """
        right = isinstance(value, self.type) and (self.type is bool or not isinstance(value, bool))
        if right and (not self.choices or value in self.choices) and self._fits(value):
            return value
        words = {bool: "True or False", int: f"a number from {self.least}", Mapping: "texts by their keys"}
        raise errors.InvalidSpecError(
            f"the hint {key!r} cannot be {value!r}",
            hint=f"it takes {' '.join(self.choices) or words.get(self.type, 'a text')}",
        )

    def _fits(self, value: Any) -> bool:
        if self.type is Mapping:
            return all(isinstance(part, str) for pair in value.items() for part in pair)
        return self.type is not int or value >= self.least


def read_hints(hints: Mapping[str, Any], known: Mapping[str, Hint], *, prefix: str) -> dict[str, Any]:
    """Return the hints of one product among those given, without its prefix.

    Args:
        known: By their keys, prefix included.
        prefix: Such as `"kvm."`.

    Raises:
        InvalidSpecError: One with the prefix is not known, or has a value that it does not take.
    """
    ours = {key: value for key, value in hints.items() if key.startswith(prefix)}
    unknown = sorted(ours.keys() - known.keys())
    if unknown:
        raise errors.InvalidSpecError(
            f"unknown hint {unknown[0]!r}", hint=f"known here: {', '.join(sorted(known)) or 'none'}"
        )
    return {key.removeprefix(prefix): known[key].check(key, value) for key, value in ours.items()}
