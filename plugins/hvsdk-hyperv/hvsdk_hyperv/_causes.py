"""What an error was made of: client libraries wrap what went wrong below them several times."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["causes"]


def causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it was made of, the outermost first."""
    waiting, seen = [exc], set()
    while waiting:
        at = waiting.pop(0)
        if id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        inner = (*at.args, getattr(at, "reason", None), at.__cause__, at.__context__)
        waiting += [one for one in inner if isinstance(one, BaseException)]
