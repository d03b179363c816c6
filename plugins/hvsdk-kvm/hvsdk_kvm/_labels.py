"""Names, notes, tags, metadata and autostart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import libvirt
from hvsdk.driver import Deadline, DomainInfo, Target, errors

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._labels_xml import Labels, labels_element, parse_labels
from hvsdk_kvm._plan import check_domain_name
from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import HVSDK_NAMESPACE, parse_xml, write_xml

__all__ = ["LabelVerbs", "affected"]

_KEY = "hvsdk"


class LabelVerbs(Session):
    """`rename`, `set_notes`, `set_tags`, `set_metadata` and `set_autostart`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._labels_lock = threading.Lock()
        """Tags and metadata lie in one element, which is read, changed and written back."""

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> DomainInfo | None:
        check_domain_name(name)
        domain = self.lookup(native_id)
        if domain.name() == name:
            return None
        self._refuse_name(name)
        if domain.isActive() or domain.hasManagedSaveImage(0):
            raise errors.PowerStateError(
                f"libvirt renames a domain only while it is off; {domain.name()!r} is not", hint="shut it down first"
            )
        domain.rename(name, 0)
        return None

    def _refuse_name(self, name: str) -> None:
        try:
            self.connection.lookupByName(name)
        except libvirt.libvirtError as exc:
            if code_of(exc) == libvirt.VIR_ERR_NO_DOMAIN:
                return
            raise
        raise errors.AlreadyExistsError(f"there is already a domain {name!r}")

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        domain = self.lookup(native_id)
        kind = libvirt.VIR_DOMAIN_METADATA_DESCRIPTION
        # libvirt takes None for "remove it" and for the names that only elements have; its annotations do not say so
        domain.setMetadata(kind, notes or None, None, None, affected(domain))  # type: ignore[arg-type]

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        self._change(native_id, lambda old: Labels(tags, old.metadata), deadline)

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        def change(old: Labels) -> Labels:
            merged = {**old.metadata, **changes}
            return Labels(old.tags, {key: value for key, value in merged.items() if value is not None})

        self._change(native_id, change, deadline)

    def _change(self, native_id: str, change: Callable[[Labels], Labels], deadline: Deadline) -> None:
        domain = self.lookup(native_id)
        flags = affected(domain)
        with self._labels_locked(deadline):
            element = labels_element(change(_read(domain, flags)), bare=True)
            if element is None and not _stored(domain, flags):
                return  # libvirt calls it an error to remove what is not there
            text = None if element is None else write_xml(element)
            kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
            domain.setMetadata(kind, text, _KEY, HVSDK_NAMESPACE, flags)  # type: ignore[arg-type]

    @contextmanager
    def _labels_locked(self, deadline: Deadline) -> Iterator[None]:
        left = deadline.remaining()
        if not self._labels_lock.acquire(timeout=-1 if left == float("inf") else left):
            raise errors.BusyError("another thread is changing labels, and did not end in time")
        try:
            yield
        finally:
            self._labels_lock.release()

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        self.lookup(native_id).setAutostart(1 if enabled else 0)


def affected(domain: libvirt.virDomain) -> int:
    """Return the flags that change a domain both as it runs and as it will boot, as far as it has the two."""
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0
    return int(flags | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0))


def _stored(domain: libvirt.virDomain, flags: int) -> str | None:
    """Return our element; where the running domain and its definition differ, the running one tells."""
    live = libvirt.VIR_DOMAIN_AFFECT_LIVE
    where = live if flags & live else libvirt.VIR_DOMAIN_AFFECT_CONFIG
    try:
        return str(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, HVSDK_NAMESPACE, where))
    except libvirt.libvirtError as exc:
        if code_of(exc) != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            raise
        return None


def _read(domain: libvirt.virDomain, flags: int) -> Labels:
    stored = _stored(domain, flags)
    return Labels() if stored is None else parse_labels(parse_xml(stored).text)
