"""libvirt's event loop, of which a process has one: callbacks and keepalive need it."""

from __future__ import annotations

import os
import threading
from typing import Any

import libvirt

__all__ = ["ensure_event_loop", "silence_errors", "take_last_error"]

_lock = threading.Lock()
_state = {"pid": 0, "runs": False, "silent": False}
_last = threading.local()


def ensure_event_loop() -> bool:
    """Have libvirt's events pumped from now on, and return whether they are.

    Call it before a connection is opened. An application with a loop of its own (`libvirtaio`, GLib) registers that before
    its first connection: it is then left alone. A forked child has none: libvirt cannot begin one anew, so there are
    neither events nor keepalive.
    """
    with _lock:
        if _state["pid"] not in (0, os.getpid()):
            return False
        if not _state["runs"]:
            if not _is_registered():
                libvirt.virEventRegisterDefaultImpl()
                threading.Thread(target=_pump, name="hvsdk-libvirt-events", daemon=True).start()
            _state.update(pid=os.getpid(), runs=True)
        return True


def silence_errors() -> None:
    """Keep libvirt from printing every error on stderr besides raising it; the last one is remembered instead."""
    with _lock:
        if not _state["silent"]:
            libvirt.registerErrorHandler(_remember, None)
            _state["silent"] = True


def _remember(context: Any, error: Any) -> None:
    _last.error = error


def take_last_error() -> Any:
    """Return libvirt's last error of this thread as a `libvirtError` keeps it, once; else `None`.

    The binding asks for it only while it makes the exception. When the garbage collector frees a handle just before,
    libvirt has forgotten it by then.
    """
    error = getattr(_last, "error", None)
    _last.error = None
    return error


def _is_registered() -> bool:
    """Adding a timer that never fires fails where nobody has registered a loop."""
    try:
        timer = libvirt.virEventAddTimeout(-1, _never, None)
    except libvirt.libvirtError:
        return False
    if timer < 0:
        return False
    libvirt.virEventRemoveTimeout(timer)
    return True


def _never(timer: int, opaque: Any) -> None:
    return None


def _pump() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
