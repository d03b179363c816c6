"""Keeps a session from expiring while nobody uses it: servers end one after half an hour."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["keep_alive"]


def keep_alive(method: Callable[[float], Any], seconds: float) -> threading.Event:
    """Call a bound method every so many seconds, with them, until the event that is returned is set.

    Its object is not kept from being collected, which ends it too, nor the interpreter from exiting.
    """
    stop = threading.Event()
    found = weakref.WeakMethod(method)

    def work() -> None:
        while not stop.wait(min(seconds, threading.TIMEOUT_MAX)):
            call = found()
            if call is None:
                return
            call(seconds)
            del call  # it holds the object while the thread sleeps

    threading.Thread(target=work, name="hvsdk-vmware-keep-alive", daemon=True).start()
    return stop
