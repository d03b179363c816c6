"""Hooks, called one implementation at a time: one that crashes is named in the log and stops nobody else."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from hvsdk._plugins import Implementation, plugins
from hvsdk.errors import VetoError

if TYPE_CHECKING:
    from hvsdk._driver.operation import Operation
    from hvsdk._driver.target import Target
    from hvsdk._event import Event
    from hvsdk._outcome import Outcome
    from hvsdk.credentials import Credentials

__all__ = ["after_operation", "before_operation", "credentials", "event", "has_operation_hooks"]

_BEFORE = "hvsdk_before_operation"
_AFTER = "hvsdk_after_operation"


_inside: ContextVar[tuple[Implementation, ...]] = ContextVar("hvsdk_hooks_inside", default=())


def _call(implementation: Implementation, **arguments: object) -> None:
    """Call an implementation, unless this is about something that it does itself: it would go on without end.

    So a hook may make a snapshot before a delete; the other hooks are asked about that.
    """
    inside = _inside.get()
    if any(outer.plugin is implementation.plugin for outer in inside):
        return
    token = _inside.set((*inside, implementation))
    try:
        implementation.call(**arguments)
    finally:
        _inside.reset(token)


def has_operation_hooks() -> bool:
    """Whether anybody wants to know of operations. Loads the installed plugins: a policy must not be missed."""
    return bool(plugins.implementations(_BEFORE) or plugins.implementations(_AFTER))


def before_operation(operation: Operation) -> None:
    """Ask all before-hooks.

    Raises:
        VetoError: One refused, or failed while it was asked.
    """
    for implementation in plugins.implementations(_BEFORE):
        try:
            _call(implementation, operation=operation)
        except VetoError as veto:
            raise _signed(veto, implementation, operation) from veto.__cause__
        except Exception as exc:  # fails closed: a policy that cannot be asked has not agreed
            _log(implementation, _BEFORE, exc)
            raise VetoError(
                f"{operation.verb} is refused: plugin {implementation.plugin.name} failed while it was asked: "
                f"{type(exc).__name__}: {exc}",
                backend=operation.backend,
                host=operation.host,
                hint="repair or unregister the plugin",
            ) from exc


def after_operation(operation: Operation, outcome: Outcome) -> None:
    """Tell all after-hooks."""
    for implementation in plugins.implementations(_AFTER):
        try:
            _call(implementation, operation=operation, outcome=outcome)
        except Exception as exc:  # an audit that fails does not undo what was done
            _log(implementation, _AFTER, exc)


def event(event: Event) -> None:
    """Tell all event hooks."""
    for implementation in plugins.implementations("hvsdk_event"):
        try:
            implementation.call(event=event)
        except Exception as exc:  # one listener does not stop the watch
            _log(implementation, "hvsdk_event", exc)


def credentials(target: Target) -> Credentials | None:
    """Return the first answer to `hvsdk_credentials`."""
    from hvsdk.credentials import Credentials

    for implementation in plugins.implementations("hvsdk_credentials"):
        try:
            found = implementation.call(target=target)
        except Exception as exc:  # the next one may know
            _log(implementation, "hvsdk_credentials", exc, secret=True)
            continue
        if isinstance(found, Credentials):
            return found
        if found is not None:
            wrong = TypeError(f"it returned a {type(found).__name__}, which is no credentials")
            _log(implementation, "hvsdk_credentials", wrong, secret=True)
    return None


def _signed(veto: VetoError, implementation: Implementation, operation: Operation) -> VetoError:
    """Return the plugin's own refusal, with its name and what it refused; a new object, since plugins may reuse theirs."""
    name = implementation.plugin.name
    message = veto.message or "no reason given"
    signed = type(veto).__new__(type(veto))
    signed.__dict__.update(veto.__dict__)
    signed.message = f"{operation.verb} is refused by plugin {name}: {message}"
    signed.args = (signed.message,)
    signed.backend = veto.backend or operation.backend
    signed.host = veto.host or operation.host
    return signed


def _log(implementation: Implementation, hook: str, exc: Exception, *, secret: bool = False) -> None:
    from logging import getLogger

    # What a vault's client says in its errors may be the secret: then only the error's type is told.
    said = type(exc).__name__ if secret else f"{type(exc).__name__}: {exc}"
    getLogger("hvsdk").error(
        "plugin %s failed in %s: %s", implementation.plugin.name, hook, said, exc_info=None if secret else exc
    )
