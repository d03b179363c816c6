"""Small questions that several tests ask."""

from __future__ import annotations

import time
from collections.abc import Callable

import libvirt


def eventually(condition: Callable[[], bool], timeout: float = 90.0) -> bool:
    """Return whether the condition became true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def state(domain: libvirt.virDomain) -> int:
    """Return the domain's state as libvirt numbers it."""
    return int(domain.state()[0])


def is_off(domain: libvirt.virDomain) -> bool:
    """Return whether the domain is shut off."""
    return state(domain) == libvirt.VIR_DOMAIN_SHUTOFF
