"""vCPUs and memory of domains that are there: at once, or not at all.

vSphere keeps one configuration, which a running domain has: nothing waits for the next boot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Applied, Changes, Deadline, Result, errors
from pyVmomi import vim

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._changes import ChangeVerbs, is_on, refuse_suspended
from hvsdk_vmware._fields import flag
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._hints import PREFIX, RECONFIGURE_HINTS, read_hints
from hvsdk_vmware._vm_config import allocation, check_topology, memory_mib

__all__ = ["ReconfigureVerbs"]

_MIB = 20
_AUTO_CORES = "config.hardware.autoCoresPerSocket"


class ReconfigureVerbs(ChangeVerbs):
    """`reconfigure`."""

    def reconfigure(self, native_id: str, changes: Changes, *, deadline: Deadline) -> Result[Applied]:
        hints = read_hints(changes.hints, RECONFIGURE_HINTS)
        ours = {key: value for key, value in changes.hints.items() if key.startswith(PREFIX)}
        asked = changes.replace(hints=ours).asked
        if not asked:
            return Applied()
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "reconfigure")
        spec = _wished(vm, changes, hints)
        if spec.numCPUs is not None and changes.cpu_topology is None:
            self._check_cores(vm, spec.numCPUs, deadline)
        if is_on(vm):
            _refuse_running(vm, spec)
        return self.change(vm, spec, deadline, lambda _: Applied(live=asked))

    def _check_cores(self, vm: Subject, vcpus: int, deadline: Deadline) -> None:
        """Refuse a number of vCPUs that does not fill the sockets, unless vSphere (8.0) lays them out itself."""
        cores = int(vm.values.get("config.hardware.numCoresPerSocket") or 1)
        if vcpus % max(cores, 1) == 0:
            return
        if self.speaks("8.0"):
            wish: dict[type, tuple[str, ...]] = {vim.VirtualMachine: (_AUTO_CORES,)}
            found = self.read_all([object_spec(self.vm(vm.native_id))], wish, deadline=deadline)
            if found and flag(found[0].values, _AUTO_CORES):
                return
        raise errors.InvalidSpecError(
            f"{vcpus} vCPUs do not fill sockets of {cores} cores", hint="give cpu_topology= too"
        )


def _wished(vm: Subject, changes: Changes, hints: Mapping[str, Any]) -> vim.vm.ConfigSpec:
    """Return what differs from what is.

    Raises:
        InvalidSpecError: The changes do not fit together, or not the rest.
    """
    spec: Any = vim.vm.ConfigSpec()
    present = int(vm.values.get("config.hardware.numCPU") or 1)
    vcpus = changes.vcpus or present
    memory = changes.memory_bytes or int(vm.values.get("config.hardware.memoryMB") or 0) << _MIB
    if vcpus != present:
        spec.numCPUs = vcpus
    if changes.memory_bytes is not None and memory_mib(memory) != vm.values.get("config.hardware.memoryMB"):
        spec.memoryMB = memory_mib(memory)
    topology = changes.cpu_topology
    if topology is not None:
        check_topology(topology, vcpus)
        if topology.sockets * topology.cores != vcpus:
            raise errors.InvalidSpecError(
                f"the CPU topology makes {topology.sockets * topology.cores} vCPUs, not {vcpus}",
                hint="give vcpus= too",
            )
        if topology.cores != vm.values.get("config.hardware.numCoresPerSocket"):
            spec.numCoresPerSocket = topology.cores
    cpu = _hot_add("vcpus", changes.max_vcpus, vcpus, hints.get("cpu_hot_add"))
    more = _hot_add("memory", changes.max_memory_bytes, memory, hints.get("memory_hot_add"))
    if cpu is not None and cpu is not _has(vm, "config.cpuHotAddEnabled"):
        spec.cpuHotAddEnabled = cpu
    if more is not None and more is not _has(vm, "config.memoryHotAddEnabled"):
        spec.memoryHotAddEnabled = more
    spec.cpuAllocation = allocation(hints, "cpu", "mhz")
    spec.memoryAllocation = allocation(hints, "memory", "mib")
    made: vim.vm.ConfigSpec = spec
    return made


def _hot_add(what: str, most: int | None, now: int, hint: bool | None) -> bool | None:
    """Return whether more can be added while the domain runs, `None` where that stays as it is.

    vSphere knows no maximum of a domain's own: either more can be added, or not.
    """
    if most is None:
        return hint
    if most < now:
        raise errors.InvalidSpecError(f"max_{what} is less than {what}, which is {now}", hint=f"give {what}= too")
    wanted = most > now
    if hint is not None and hint is not wanted:
        raise errors.InvalidSpecError(f"max_{what}={most} and the hint for adding it contradict each other")
    return wanted


def _has(vm: Subject, path: str) -> bool:
    return bool(vm.values.get(path))


def _refuse_running(vm: Subject, spec: vim.vm.ConfigSpec) -> None:
    """Refuse what a domain takes only while it is off."""
    why = _cpu_reason(vm, spec) or _memory_reason(vm, spec)
    if why is not None:
        raise errors.PowerStateError(f"{vm.name!r} is {vm.state}, and {why}", state=vm.state, hint="shut it down first")


def _cpu_reason(vm: Subject, spec: vim.vm.ConfigSpec) -> str | None:
    if spec.numCoresPerSocket is not None:
        return "vSphere changes how vCPUs are laid out only of domains that are off"
    if spec.cpuHotAddEnabled is not None or spec.memoryHotAddEnabled is not None:
        return "whether more can be added while it runs changes only while it is off"
    if spec.numCPUs is None:
        return None
    present = int(vm.values.get("config.hardware.numCPU") or 1)
    if spec.numCPUs > present and not _has(vm, "config.cpuHotAddEnabled"):
        return "adding vCPUs while it runs is not switched on (max_vcpus=, or vmware.cpu_hot_add)"
    if spec.numCPUs < present and not _has(vm, "config.cpuHotRemoveEnabled"):
        return "vCPUs are not taken away while it runs"
    return None


def _memory_reason(vm: Subject, spec: vim.vm.ConfigSpec) -> str | None:
    if spec.memoryMB is None:
        return None
    present = int(vm.values.get("config.hardware.memoryMB") or 0)
    if spec.memoryMB < present:
        return "memory is not taken away while it runs"
    if not _has(vm, "config.memoryHotAddEnabled"):
        return "adding memory while it runs is not switched on (max_memory=, or vmware.memory_hot_add)"
    limit = vm.values.get("config.hotPlugMemoryLimit")
    if limit and spec.memoryMB > limit:
        return f"it was started with room for {limit} MiB of memory"
    step = vm.values.get("config.hotPlugMemoryIncrementSize")
    if step and (spec.memoryMB - present) % step:
        return f"memory is added to it in steps of {step} MiB"
    return None
