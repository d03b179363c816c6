"""Hook specifications: where plugins and tools come in.

A plugin is a module or object with functions of these names marked with `hookimpl`. It is found through the entry-point
group `hvsdk`, or given to `hvsdk.register`. Every implementation runs by itself: one that raises is logged and named, and
neither the operation nor the others notice, except before-hooks, which fail closed with `VetoError`. Wrappers
(`wrapper=True`, `hookwrapper=True`) are refused. Implementations with `tryfirst=True` come first, then registered plugins in
the order of registration, then entry points by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend
    from hvsdk._driver.operation import Operation
    from hvsdk._driver.target import Target
    from hvsdk._event import Event
    from hvsdk._outcome import Outcome
    from hvsdk.credentials import Credentials

__all__ = ["hookimpl", "hookspec"]

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker("hvsdk")
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("hvsdk")


@hookspec
def hvsdk_backends() -> Iterable[Backend]:  # type: ignore[empty-body]
    """Return the backends that this plugin brings. Called when backends are first needed; import nothing heavy."""


@hookspec
def hvsdk_credentials(target: Target) -> Credentials | None:
    """Return credentials for a target that was given none, or `None` for "I have none". The first answer counts."""


@hookspec
def hvsdk_before_operation(operation: Operation) -> None:
    """Called before anything that changes something, and before `console`, `open_disk` and `native`.

    Raise `hvsdk.errors.VetoError` to refuse it. Any other exception refuses it too, and names the plugin.
    """


@hookspec
def hvsdk_after_operation(operation: Operation, outcome: Outcome) -> None:
    """Called when an operation that the before-hooks let pass has ended, whichever way."""


@hookspec
def hvsdk_event(event: Event) -> None:
    """Called for every event that a `Watch` yields, on the watch's own thread."""
