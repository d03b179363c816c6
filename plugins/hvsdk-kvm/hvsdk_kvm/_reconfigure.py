"""vCPUs, memory and CPU of domains that are there: at once where QEMU can, else at the next boot."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from typing import Any

import attrs
import libvirt
from hvsdk.driver import Applied, Changes, Deadline, Result, Task, errors

from hvsdk_kvm._device_xml import Views
from hvsdk_kvm._errors import code_of
from hvsdk_kvm._hints import RECONFIGURE_HINTS, read_hints
from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import write_xml
from hvsdk_kvm._xml_build import set_cpu, set_topology
from hvsdk_kvm._xml_read import memory_bytes

__all__ = ["ReconfigureVerbs"]

_BALLOON_SECONDS = 5.0
_CANNOT = frozenset(
    {
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_FAILED,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_NO_SUPPORT,
    }
)
"""What libvirt says of a change that this running domain cannot take; the definition has it then."""


class ReconfigureVerbs(Session):
    """`reconfigure`."""

    def reconfigure(self, native_id: str, changes: Changes, *, deadline: Deadline) -> Result[Applied]:
        views = Views.of(self, native_id)
        if views.config is None:
            raise errors.PowerStateError(
                f"{views.domain.name()!r} has no definition to change: it ends with its guest",
                hint="define it, then shut it down",
            )
        hints = read_hints(changes.hints, RECONFIGURE_HINTS)
        asked = changes.replace(hints={key: value for key, value in changes.hints.items() if key.startswith("kvm.")})
        if not asked.asked:
            return Applied()
        before = write_xml(views.config)
        self.connection.defineXML(write_xml(changed(views.config, asked, hints)))
        if views.live is None:
            return Applied(live=asked.asked)
        try:
            return _Live(views.domain, views.live).apply(asked, hints)
        except libvirt.libvirtError:
            self.connection.defineXML(before)
            raise


def changed(config: ET.Element, changes: Changes, hints: dict[str, Any]) -> ET.Element:
    """Return a definition with the changes; what is not understood stays as it is.

    A maximum that is too small for what was asked is raised with it.

    Raises:
        InvalidSpecError: The changes do not fit together, or not the rest of the definition.
    """
    root = copy.deepcopy(config)
    _change_vcpus(root, changes)
    _change_memory(root, changes)
    set_cpu(root, hints)
    if "cpu_shares" in hints:
        tune = root.find("cputune")
        tune = ET.SubElement(root, "cputune") if tune is None else tune
        shares = tune.find("shares")
        (ET.SubElement(tune, "shares") if shares is None else shares).text = str(hints["cpu_shares"])
    for tag in ("on_crash", "on_reboot"):
        if tag in hints:
            element = root.find(tag)
            (ET.SubElement(root, tag) if element is None else element).text = hints[tag]
    return root


def _change_vcpus(root: ET.Element, changes: Changes) -> None:
    vcpu = root.find("vcpu")
    vcpu = ET.SubElement(root, "vcpu") if vcpu is None else vcpu
    old_max = int(vcpu.text or 1)
    current = changes.vcpus or int(vcpu.get("current", old_max))
    most = changes.max_vcpus or max(old_max, current)
    if current > most:
        raise errors.InvalidSpecError(f"{current} vCPUs are more than the maximum of {most}", hint="give vcpus= too")
    set_topology(root, changes.cpu_topology)
    topology = root.find("cpu/topology")
    if topology is not None:
        total = 1
        for name in ("sockets", "dies", "cores", "threads"):
            total *= int(topology.get(name, "1"))
        if total != most:
            raise errors.InvalidSpecError(
                f"the CPU topology makes {total} vCPUs, and the maximum is {most}", hint="give cpu_topology= too"
            )
    if (current, most) != (int(vcpu.get("current", old_max)), old_max):
        for states in root.findall("vcpus"):  # which vCPUs are on, one by one, as of the old numbers
            root.remove(states)
    vcpu.text = str(most)
    vcpu.set("current", str(current))


def _change_memory(root: ET.Element, changes: Changes) -> None:
    if changes.memory_bytes is None and changes.max_memory_bytes is None:
        return
    if root.find("cpu/numa") is not None:
        raise errors.InvalidSpecError("the memory of a domain with NUMA cells cannot be changed as a whole")
    old_max = memory_bytes(root.find("memory")) or 0
    old = memory_bytes(root.find("currentMemory")) or old_max
    current = changes.memory_bytes or old
    # Memory and maximum that were the same stay the same; a maximum above it was meant as room.
    most = changes.max_memory_bytes or (current if old == old_max else max(old_max, current))
    if current > most:
        raise errors.InvalidSpecError(
            f"{current} bytes of memory are more than the maximum of {most}", hint="give memory= too"
        )
    for tag, size in (("memory", most), ("currentMemory", current)):
        element = root.find(tag)
        element = ET.SubElement(root, tag) if element is None else element
        element.text = str(size)
        element.set("unit", "b")


@attrs.frozen
class _Live:
    """What can be changed while a domain runs."""

    domain: libvirt.virDomain
    root: ET.Element

    def apply(self, changes: Changes, hints: dict[str, Any]) -> Result[Applied]:
        """Change what can be changed now; the definition has all of it already."""
        live = set()
        if changes.vcpus is not None and self._set_vcpus(changes.vcpus):
            live.add("vcpus")
        if "cpu_shares" in hints and self._try(
            lambda: self.domain.setSchedulerParametersFlags(
                {"cpu_shares": hints["cpu_shares"]}, libvirt.VIR_DOMAIN_AFFECT_LIVE
            )
        ):
            live.add("kvm.cpu_shares")
        applied = Applied(live=frozenset(live), next_boot=changes.asked - live)
        size = changes.memory_bytes
        if size is not None and self._ask_for_memory(size):
            return _Balloon(self.domain, size, applied)
        return applied

    def _set_vcpus(self, count: int) -> bool:
        vcpu = self.root.find("vcpu")
        most = int((vcpu.text if vcpu is not None else None) or 1)
        now = int(vcpu.get("current", most)) if vcpu is not None else most
        if count == now:
            return True
        if not now < count <= most:
            return False  # only a guest that agrees gives one back, and it need not say so
        return self._try(lambda: self.domain.setVcpusFlags(count, libvirt.VIR_DOMAIN_AFFECT_LIVE))

    def _ask_for_memory(self, size: int) -> bool:
        balloon = self.root.find("devices/memballoon")
        if balloon is None or balloon.get("model") == "none":
            return False
        if size > (memory_bytes(self.root.find("memory")) or 0):
            return False
        return self._try(lambda: self.domain.setMemoryFlags(size // 1024, libvirt.VIR_DOMAIN_AFFECT_LIVE))

    @staticmethod
    def _try(change: Any) -> bool:
        try:
            change()
        except libvirt.libvirtError as exc:
            if code_of(exc) not in _CANNOT:
                raise
            return False
        return True


class _Balloon(Task[Applied]):
    """Waits until the guest has given memory back or taken it; one that does not has the change at its next boot."""

    def __init__(self, domain: libvirt.virDomain, size: int, applied: Applied) -> None:
        self._domain = domain
        self._size = size
        self._applied = applied
        self._until = Deadline(_BALLOON_SECONDS)

    def poll(self) -> tuple[bool, float | None, Applied | None]:
        if int(self._domain.info()[2]) * 1024 == self._size // 1024 * 1024:
            applied = self._applied
            return True, 1.0, Applied(live=applied.live | {"memory"}, next_boot=applied.next_boot - {"memory"})
        return self._until.expired, None, self._applied if self._until.expired else None
