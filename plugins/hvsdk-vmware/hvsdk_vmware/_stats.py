"""Statistics: what hosts measured of the domains on them, in one bulk call.

vSphere measures rates: the means of 20 seconds. It keeps no counters of a domain's whole life.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from hvsdk.driver import Deadline, DomainStats, PowerState, Target, errors, frozen
from pyVmomi import vim, vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._counters import COUNTERS, Counter, Measured, ids_in, measured_in, query_spec
from hvsdk_vmware._fields import NOTHING, NS, Found, number, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._states import power_state
from hvsdk_vmware._stub import within
from hvsdk_vmware._views import ViewReads

__all__ = ["StatsReads", "stats_of"]

_METHOD = "QueryPerf"
_ANY = "any-domain"
_AT_ONCE = 2000
"""Domains of one question, whatever the option says: servers refuse too many figures at once."""
_GONE_MEANWHILE = 5
"""Domains that may vanish between their listing and the question for their figures."""
_MIB = 20
_PATHS = (
    "name",
    "runtime.powerState",
    "runtime.connectionState",
    "summary.config.numCpu",
    "summary.config.memorySizeMB",
    "summary.quickStats.balloonedMemory",
    "summary.quickStats.guestMemoryUsage",
    "summary.quickStats.hostMemoryUsage",
)


class StatsReads(ViewReads):
    """`stats`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._counters: tuple[int, dict[str, Counter]] | None = None

    def stats(self, native_ids: Iterable[str] | None, *, deadline: Deadline) -> Iterable[DomainStats]:
        """Return figures of these domains, or of all that run: a call for the domains, and one for the figures.

        A listing of many takes as many of both as it has pages. One that is off has none but its size; of one that runs
        and has none, the reason stands in its details as `vmware.no_figures`.
        """
        vms = self._running(deadline) if native_ids is None else self._named(list(native_ids), deadline)
        running = [vm.id for vm in vms if _state(vm) is PowerState.RUNNING]
        figures = self._figures(running, deadline, named=native_ids is not None)
        now = datetime.now(UTC)
        return [stats_of(vm, figures.get(vm.id), now) for vm in vms]

    def _running(self, deadline: Deadline) -> list[Found]:
        found: dict[str, Found] = {}
        for page in self.read_view({vim.VirtualMachine: _PATHS}, deadline=deadline):
            found.update((vm.id, vm) for vm in page if _state(vm) is PowerState.RUNNING)
        return list(found.values())

    def _named(self, native_ids: list[str], deadline: Deadline) -> list[Found]:
        objects = [object_spec(self.vm(key)) for key in dict.fromkeys(native_ids)]
        found = {vm.id: vm for vm in self.read_all(objects, {vim.VirtualMachine: _PATHS}, deadline=deadline)}
        missing = [key for key in native_ids if key not in found]
        if missing:
            raise errors.DomainNotFoundError(f"there is no domain {missing[0]}")
        return list(found.values())

    # ---- figures -----------------------------------------------------------------------------------------

    def _figures(self, native_ids: Sequence[str], deadline: Deadline, *, named: bool) -> dict[str, Measured]:
        found: dict[str, Measured] = {}
        if not native_ids:
            return found
        counters = self._known_counters(deadline)
        size = min(_AT_ONCE, max(1, int(self.target.options.get("page_size") or 1000)))
        for start in range(0, len(native_ids), size):
            page = native_ids[start : start + size]
            found |= self._page_of_figures(page, counters, deadline, may_go=0 if named else _GONE_MEANWHILE)
        return found

    def _page_of_figures(
        self, native_ids: Sequence[str], counters: dict[str, Counter], deadline: Deadline, *, may_go: int
    ) -> dict[str, Measured]:
        """Return the figures of some domains; up to so many of them may be gone, each at the price of a call."""
        try:
            return measured_in(self._query(native_ids, counters, deadline), counters)
        except vmodl.fault.ManagedObjectNotFound as exc:
            gone = getattr(exc.obj, "_moId", None)
            rest = [key for key in native_ids if key != gone]
            if not may_go or len(rest) == len(native_ids):
                raise
            return self._page_of_figures(rest, counters, deadline, may_go=may_go - 1) if rest else {}

    def _known_counters(self, deadline: Deadline) -> dict[str, Counter]:
        """Return the ids of our counters, which are asked for once in a session."""
        generation = self.stub.generation
        known = self._counters
        if known is None or known[0] != generation:
            wish: dict[type, Iterable[str]] = {vim.PerformanceManager: ("perfCounter",)}
            found = self.read_all([object_spec(self._performance)], wish, deadline=deadline)
            ids = ids_in(found[0].values.get("perfCounter", NOTHING)) if found else {}
            if not ids:
                raise errors.OperationFailedError("the server has none of the counters that figures are made of")
            known = self._counters = generation, ids
        return known[1]

    @property
    def _performance(self) -> vim.PerformanceManager:
        manager = self.content.perfManager
        assert manager is not None, "every server has one"
        return manager

    def _query(self, native_ids: Sequence[str], counters: dict[str, Counter], deadline: Deadline) -> list[Any]:
        """Ask for figures, and return the answer as it was written: pyvmomi's objects of it take ten times as long."""
        stub, info = self.stub, getattr(vim.PerformanceManager, _METHOD).info
        one = stub.write(self._performance, info, ([query_spec(self.vm(_ANY), counters)],))
        with within(deadline):
            answer = stub.send(_METHOD, _for_each(one, native_ids), info.result)
        if answer.is_fault:
            stub.decode(answer, info.result)
        try:
            root = ElementTree.fromstring(answer.body)
        except ElementTree.ParseError as exc:
            raise AnswerError("the server's answer is no XML") from exc
        return root.findall(f"*/{NS}{_METHOD}Response/{NS}returnval")


def _for_each(call: bytes, native_ids: Iterable[str]) -> bytes:
    """Repeat what is asked of any domain for each of these: pyvmomi takes longer to write it than the server to answer."""
    start, end = call.index(b"<querySpec"), call.rindex(b"</querySpec>") + len(b"</querySpec>")
    before, after = call[start:end].split(f">{_ANY}<".encode())
    specs = (b"%s>%s<%s" % (before, escape(key).encode(), after) for key in native_ids)
    return call[:start] + b"".join(specs) + call[end:]


def _state(vm: Found) -> PowerState:
    return power_state(text(vm.values, "runtime.powerState"), text(vm.values, "runtime.connectionState") or None)


def stats_of(vm: Found, measured: Measured | None, now: datetime) -> DomainStats:
    """Return one domain's figures.

    Args:
        measured: What its host measured; `None` when there is nothing.
        now: The time of what is read from its record.
    """
    values, on = vm.values, _state(vm) is PowerState.RUNNING
    vcpus = number(values, "summary.config.numCpu")
    rates: dict[str, Any] = dict.fromkeys(counter.field for counter in COUNTERS)
    if measured is not None:
        rates |= measured.rates
    share = rates["cpu_ratio"]
    rates["cpu_ratio"] = share * vcpus if share is not None and vcpus is not None else None
    details: dict[str, Any] = {
        "vmware.no_figures": "nothing is measured yet" if on and measured is None else None,
        "vmware.memory_active_bytes": _bytes(vm, "guestMemoryUsage") if on else None,
        "vmware.memory_consumed_bytes": _bytes(vm, "hostMemoryUsage") if on else None,
    }
    return DomainStats(
        native_id=vm.id,
        name=shown(text(values, "name")),
        at=measured.at if measured is not None else now,
        vcpus=vcpus,
        memory_bytes=_memory(vm) if on else None,
        interval_seconds=float(measured.seconds) if measured is not None else None,
        details=frozen({key: value for key, value in details.items() if value is not None}),
        **rates,
    )


def _memory(vm: Found) -> int | None:
    """Return what the guest has: its memory without what the balloon took from it."""
    size = number(vm.values, "summary.config.memorySizeMB")
    if size is None:
        return None
    return max(0, size - (number(vm.values, "summary.quickStats.balloonedMemory") or 0)) << _MIB


def _bytes(vm: Found, figure: str) -> int | None:
    mebibytes = number(vm.values, f"summary.quickStats.{figure}")
    return mebibytes << _MIB if mebibytes is not None and mebibytes >= 0 else None
