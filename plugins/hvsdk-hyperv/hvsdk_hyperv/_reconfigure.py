"""vCPUs and memory of domains that are there: at once, or not at all. Hyper-V keeps nothing for the next boot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hvsdk.driver import Applied, Capability, Changes, Deadline, DomainInfo, Hint, Unsupported, errors, read_hints

from hvsdk_hyperv._create import DOMAIN_HINTS, memory_size
from hvsdk_hyperv._listing import ListingReads

__all__ = ["RECONFIGURE_HINTS", "ReconfigureVerbs"]

RECONFIGURE_HINTS: Final[Mapping[str, Hint]] = {
    name: DOMAIN_HINTS[name] for name in ("hyperv.memory_minimum", "hyperv.memory_maximum")
}
"""`Changes.hints`."""
_HOT_MEMORY: Final = 6


class ReconfigureVerbs(ListingReads):
    """`reconfigure`."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        version = info.details.get("hyperv.version") if "details" in info.loaded else None
        major = str(version or "").partition(".")[0]
        if major.isdecimal() and int(major) < _HOT_MEMORY:
            reason = "Windows Server 2012 R2 changes neither processors nor memory of what runs"
            limits[Capability.RECONFIGURE_RUNNING] = Unsupported(reason)
        return limits

    def reconfigure(self, native_id: str, changes: Changes, *, deadline: Deadline) -> Applied:
        """Change it: memory of one that runs from Windows Server 2016 on, vCPUs only of one that is off."""
        hints = read_hints(changes.hints, RECONFIGURE_HINTS, prefix="hyperv.")
        ours = {key: value for key, value in changes.hints.items() if key.startswith("hyperv.")}
        asked = changes.replace(hints=ours).asked
        if not asked:
            return Applied()
        if changes.cpu_topology is not None:
            raise errors.InvalidSpecError("Hyper-V cannot set a CPU topology: the host's NUMA nodes make it")
        if changes.max_vcpus is not None and changes.max_vcpus != changes.vcpus:
            raise errors.InvalidSpecError(
                "Hyper-V plugs no vCPUs while a domain runs, so that max_vcpus is vcpus", hint="give vcpus= alone"
            )
        if changes.max_memory_bytes is not None and changes.max_memory_bytes != changes.memory_bytes:
            raise errors.InvalidSpecError(
                "Hyper-V has no bound of static memory",
                hint="hints={'hyperv.memory_maximum': …} is that of dynamic memory",
            )
        sizes = {"memory": changes.memory_bytes, **hints}
        arguments = {name: memory_size(size, name) for name, size in sizes.items() if size is not None}
        self.call("reconfigure.set", {"id": native_id, "vcpus": changes.vcpus, **arguments}, deadline=deadline)
        return Applied(live=asked)
