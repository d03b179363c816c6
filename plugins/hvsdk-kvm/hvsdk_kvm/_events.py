"""libvirt's callbacks of one connection, registered once for each kind and fanned out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakMethod

import libvirt

from hvsdk_kvm._errors import code_of

__all__ = ["LIFECYCLE", "UNTOLD", "EventHub", "Listener"]

Listener = Callable[[str, int, tuple[Any, ...]], None]
"""Gets a domain's UUID, libvirt's id of the event and its arguments, on a thread of libvirt's: it may only take notes."""

UNTOLD = -1
"""Id of a change that libvirt has no event for."""
LIFECYCLE = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE

_KINDS = (
    LIFECYCLE,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
    libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_DISK_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB,
    libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
)


class EventHub:
    """Listeners of one connection. libvirt takes one registration for each kind of event, so this class makes them."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._registering = threading.Lock()
        self._listeners: list[WeakMethod[Listener]] = []
        self._closed_listeners: list[WeakMethod[Callable[[], None]]] = []
        self._registered: list[int] = []
        self._watches_close = False

    def listen(self, listener: Listener, *, closed: Callable[[], None] | None = None) -> None:
        """Call `listener` for every event from now on, and `closed` when the connection is lost.

        Both are methods of an object that is kept elsewhere: when that object goes, they are called no longer.
        """
        with self._registering:  # a lock of its own: libvirt may take its time, and `close` must not wait for it
            if not self._registered:
                self._register()
        with self._lock:
            self._listeners = [known for known in self._listeners if known() is not None]
            self._closed_listeners = [known for known in self._closed_listeners if known() is not None]
            self._listeners.append(WeakMethod(listener))
            if closed is not None:
                self._closed_listeners.append(WeakMethod(closed))

    def tell(self, uuid: str) -> None:
        """Tell the listeners of a change that libvirt itself does not tell."""
        self._tell(uuid, UNTOLD, ())

    def close(self) -> None:
        """Take the registrations back, so that the connection can end."""
        with self._lock:
            registered, self._registered = self._registered, []
            self._listeners.clear()
            self._closed_listeners.clear()
        steps: list[Callable[[], Any]] = [partial(self._connection.domainEventDeregisterAny, n) for n in registered]
        if self._watches_close:
            self._watches_close = False
            steps.append(self._connection.unregisterCloseCallback)
        for step in steps:
            with suppress(libvirt.libvirtError):  # on a lost connection they are taken back here, and not there
                step()

    def _register(self) -> None:
        # The first is a must; a hypervisor that lacks one of the others does without it.
        self._registered.append(self._connection.domainEventRegisterAny(None, LIFECYCLE, self._told, LIFECYCLE))
        for kind in _KINDS[1:]:
            try:
                self._registered.append(self._connection.domainEventRegisterAny(None, kind, self._told, kind))
            except libvirt.libvirtError as exc:
                if code_of(exc) not in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_INVALID_ARG):
                    raise
        try:
            self._connection.registerCloseCallback(self._lost, None)
            self._watches_close = True
        except libvirt.libvirtError as exc:
            if code_of(exc) != libvirt.VIR_ERR_NO_SUPPORT:
                raise

    def _told(self, connection: libvirt.virConnect, domain: libvirt.virDomain, *arguments: Any) -> None:
        *details, kind = arguments
        self._tell(domain.UUIDString(), kind, tuple(details))

    def _lost(self, connection: libvirt.virConnect, reason: int, opaque: Any) -> None:
        for reference in tuple(self._closed_listeners):
            closed = reference()
            if closed is not None:
                closed()

    def _tell(self, uuid: str, kind: int, details: tuple[Any, ...]) -> None:
        for reference in tuple(self._listeners):
            listener = reference()
            if listener is not None:
                listener(uuid, kind, details)
