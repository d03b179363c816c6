"""Notes on errors: pyvmomi's faults take no attributes that the API does not know, `add_note` among them."""

from __future__ import annotations

from pyVmomi import vmodl

__all__ = ["add_note"]


def add_note(exc: BaseException, note: str) -> None:
    """Add a note to an error of any kind, which tracebacks show."""
    if isinstance(exc, vmodl.MethodFault):
        vars(exc).setdefault("__notes__", []).append(f"hvsdk: {note}")
    else:
        exc.add_note(f"hvsdk: {note}")
