"""vCPUs and memory of domains that are there: at once where XAPI can, else at the next boot, else not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import XenAPI
from hvsdk.driver import Applied, Changes, Deadline, Result, Task, errors

from hvsdk_xen._hardware import HardwareVerbs, Subject
from hvsdk_xen._hints import PREFIX, RECONFIGURE_HINTS, read_hints
from hvsdk_xen._values import as_int, is_ref
from hvsdk_xen._verbs import FAILURES
from hvsdk_xen._vm_record import CORES, check_topology, vcpu_params

__all__ = ["ReconfigureVerbs"]

BALLOON_SECONDS = 5.0
"""How long a guest has to give memory back or take it, before the change counts as one for the next boot."""
_TOLERANCE = 1 << 20
"""Bytes by which a guest may miss its target, which is then reached all the same: so it is for XAPI itself."""

_FIXED_WHILE_ON = frozenset(("max_vcpus", "max_memory"))

Step = tuple[str, tuple[Any, ...], tuple[Any, ...]]
"""A message, its arguments, and those that take it back."""


@attrs.frozen(kw_only=True)
class _Sizes:
    """vCPUs and memory, as they are or are to be."""

    vcpus: int
    max_vcpus: int
    static_min: int
    static_max: int
    dynamic_min: int
    dynamic_max: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> _Sizes:
        """Return a VM's."""
        return cls(
            vcpus=as_int(record.get("VCPUs_at_startup")) or 1,
            max_vcpus=as_int(record.get("VCPUs_max")) or 1,
            static_min=as_int(record.get("memory_static_min")) or 0,
            static_max=as_int(record.get("memory_static_max")) or 0,
            dynamic_min=as_int(record.get("memory_dynamic_min")) or 0,
            dynamic_max=as_int(record.get("memory_dynamic_max")) or 0,
        )

    @property
    def limits(self) -> tuple[int, int, int, int]:
        """The four limits in the order of `VM.set_memory_limits`."""
        return self.static_min, self.static_max, self.dynamic_min, self.dynamic_max


class ReconfigureVerbs(HardwareVerbs):
    """`reconfigure`."""

    def reconfigure(self, native_id: str, changes: Changes, *, deadline: Deadline) -> Result[Applied]:
        hints = read_hints(changes.hints, RECONFIGURE_HINTS)
        asked = changes.replace(
            hints={key: value for key, value in changes.hints.items() if key.startswith(PREFIX)}
        ).asked
        if not asked:
            return Applied()
        vm = self.subject(native_id, deadline)
        vm.refuse_suspended("reconfigure")
        old = _Sizes.of(vm.record)
        new = changed(old, changes, hints, on=vm.is_on)
        _check_topology(vm.record, changes, new)
        config = _config_steps(vm, changes, hints)
        if not vm.is_on:
            self._carry_out_steps(vm, [*_vcpu_steps(old, new), *_limit_steps(old, new), *config], deadline)
            return Applied(live=asked)
        return self._reconfigure_running(vm, old, new, config, asked, deadline)

    def _reconfigure_running(
        self, vm: Subject, old: _Sizes, new: _Sizes, config: list[Step], asked: frozenset[str], deadline: Deadline
    ) -> Result[Applied]:
        _refuse_running(vm, old, new, asked)
        metrics = str(vm.record.get("metrics"))
        steps = list(config)
        live = set(asked & _FIXED_WHILE_ON)  # not refused, so they are as they were asked to be
        if new.vcpus != old.vcpus:
            plugs = "changing_VCPUs_live" in vm.record.get("allowed_operations", ()) and new.vcpus > old.vcpus
            message = "VM.set_VCPUs_number_live" if plugs else "VM.set_VCPUs_at_startup"
            steps.append((message, (new.vcpus,), (old.vcpus,)))
            live |= {"vcpus"} if plugs else set()
        elif "vcpus" in asked and self._measured(metrics, "VCPUs_number") == new.vcpus:
            live.add("vcpus")
        ballooned = (new.dynamic_min, new.dynamic_max) != (old.dynamic_min, old.dynamic_max)
        if ballooned:
            before = old.dynamic_min, old.dynamic_max
            steps.append(("VM.set_memory_dynamic_range", (new.dynamic_min, new.dynamic_max), before))
        self._carry_out_steps(vm, steps, deadline)
        live |= asked & {"memory", "xen.memory_dynamic_min"}
        applied = Applied(live=frozenset(live), next_boot=asked - live)
        if ballooned and "memory" in asked:
            return _Balloon(lambda: self._measured(metrics, "memory_actual"), new, applied)
        return applied

    def _measured(self, metrics: str, field: str) -> int | None:
        """Return what a running domain has, as its host measured it."""
        if not is_ref(metrics):
            return None
        return as_int(self.call(f"VM_metrics.get_{field}", metrics, deadline=self.soon()))

    def _carry_out_steps(self, vm: Subject, steps: list[Step], deadline: Deadline) -> None:
        """Take the steps in order; when one is refused, those before it are taken back."""
        done: list[Step] = []
        try:
            for step in steps:
                self.call(step[0], vm.ref, *step[1], deadline=deadline)
                done.append(step)
        except FAILURES as exc:
            if isinstance(exc, XenAPI.Failure):
                self._carry_steps_back(vm, done, exc)
            raise

    def _carry_steps_back(self, vm: Subject, done: list[Step], exc: BaseException) -> None:
        for message, _, before in reversed(done):
            try:
                self.call(message, vm.ref, *before, deadline=self.soon())
            except FAILURES as failure:
                exc.add_note(f"hvsdk: {message} had been carried out, and could not be taken back: {failure}")


def changed(old: _Sizes, changes: Changes, hints: Mapping[str, Any], *, on: bool) -> _Sizes:
    """Return what the sizes are to be.

    A maximum that is too small for what was asked is raised with it; one that was the same as the size stays the same,
    but for a domain that is on: only within its maximum can its memory change.

    Raises:
        InvalidSpecError: The changes do not fit together, or not the rest.
    """
    vcpus = changes.vcpus or old.vcpus
    max_vcpus = changes.max_vcpus or max(old.max_vcpus, vcpus)
    if vcpus > max_vcpus:
        raise errors.InvalidSpecError(f"{vcpus} vCPUs are more than the maximum of {max_vcpus}", hint="give vcpus= too")
    memory = changes.memory_bytes or old.dynamic_max
    fixed = old.static_max == old.dynamic_max and not on
    most = changes.max_memory_bytes or (memory if fixed else max(old.static_max, memory))
    if memory > most:
        raise errors.InvalidSpecError(
            f"{memory} bytes of memory are more than the maximum of {most}", hint="give memory= too"
        )
    least = memory if old.dynamic_min == old.dynamic_max else min(old.dynamic_min, memory)
    least = hints.get("memory_dynamic_min", least)
    if least > memory:
        raise errors.InvalidSpecError("xen.memory_dynamic_min is more than memory")
    return _Sizes(
        vcpus=vcpus,
        max_vcpus=max_vcpus,
        static_min=min(old.static_min, least),
        static_max=most,
        dynamic_min=least,
        dynamic_max=memory,
    )


def _check_topology(record: Mapping[str, Any], changes: Changes, new: _Sizes) -> None:
    topology = changes.cpu_topology
    if topology is not None:
        check_topology(topology)
        total = topology.sockets * topology.cores
        if total != new.max_vcpus:
            raise errors.InvalidSpecError(
                f"the CPU topology makes {total} vCPUs, and the maximum is {new.max_vcpus}", hint="give max_vcpus= too"
            )
        return
    cores = as_int(record.get("platform", {}).get(CORES)) or 1
    if new.max_vcpus % cores:
        raise errors.InvalidSpecError(
            f"{new.max_vcpus} vCPUs do not fill sockets of {cores} cores", hint="give cpu_topology= too"
        )


def _vcpu_steps(old: _Sizes, new: _Sizes) -> list[Step]:
    """Return both steps in the order in which at no moment more are booted than are possible."""
    steps: list[Step] = []
    if new.max_vcpus != old.max_vcpus:
        steps.append(("VM.set_VCPUs_max", (new.max_vcpus,), (old.max_vcpus,)))
    if new.vcpus != old.vcpus:
        steps.append(("VM.set_VCPUs_at_startup", (new.vcpus,), (old.vcpus,)))
    return steps if new.max_vcpus >= old.vcpus else steps[::-1]


def _limit_steps(old: _Sizes, new: _Sizes) -> list[Step]:
    return [("VM.set_memory_limits", new.limits, old.limits)] if new.limits != old.limits else []


def _config_steps(vm: Subject, changes: Changes, hints: Mapping[str, Any]) -> list[Step]:
    steps: list[Step] = []
    params, present = vcpu_params(hints), vm.record.get("VCPUs_params", {})
    if params:
        steps.append(("VM.set_VCPUs_params", ({**present, **params},), (present,)))
    if changes.cpu_topology is not None:
        platform = vm.record.get("platform", {})
        steps.append(("VM.set_platform", ({**platform, CORES: str(changes.cpu_topology.cores)},), (platform,)))
    return steps


def _refuse_running(vm: Subject, old: _Sizes, new: _Sizes, asked: frozenset[str]) -> None:
    """Refuse what a domain takes only while it is off: XAPI keeps no second definition for the next boot."""
    operations = vm.record.get("allowed_operations", ())
    why = None
    if "cpu_topology" in asked:
        why = "how its vCPUs are laid out"
    elif new.max_vcpus != old.max_vcpus:
        why = f"the most vCPUs it can have, which are {old.max_vcpus}"
    elif (new.static_min, new.static_max) != (old.static_min, old.static_max):
        why = f"memory outside {old.static_min} to {old.static_max} bytes"
    elif new.limits != old.limits and "changing_dynamic_range" not in operations:
        why = "its memory: the guest has no tools that give it back or take it"
    if why is not None:
        raise errors.PowerStateError(
            f"{vm.name!r} is {vm.state}, and XAPI changes only of domains that are off {why}",
            state=vm.state,
            hint="shut it down first",
        )


class _Balloon(Task[Applied]):
    """Waits until the guest has given memory back or taken it; one that does not has the change at its next boot."""

    def __init__(self, now: Callable[[], int | None], sizes: _Sizes, applied: Applied) -> None:
        self._now = now
        self._sizes = sizes
        self._applied = applied
        self._until = Deadline(BALLOON_SECONDS)

    def poll(self) -> tuple[bool, float | None, Applied | None]:
        now = self._now()
        least, most = self._sizes.dynamic_min - _TOLERANCE, self._sizes.dynamic_max + _TOLERANCE
        if now is not None and least <= now <= most:
            return True, 1.0, self._applied
        applied = self._applied
        late = Applied(live=applied.live - {"memory"}, next_boot=applied.next_boot | {"memory"})
        return self._until.expired, None, late if self._until.expired else None
