"""A small pool in the test's own process, whose messages are called without a wire between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hvsdk_simulators.xapi.build import build
from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import MESSAGES
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.vm import Guest
from hvsdk_simulators.xapi.vm.operations import allowed_operations
from hvsdk_simulators.xapi.world import Options, World
from vm_make import make_vm


class Pool:
    """Two hosts with shared and local storage, and no VMs but those that a test makes, unless told otherwise."""

    def __init__(self, api: tuple[int, int] = (2, 21), hosts: int = 2, domains: int = 0) -> None:
        self.world = World(Options(domains=domains, hosts=hosts, api=api, duration_scale=0.0))
        build(self.world)
        self.hosts = [member.host for member in self.world.members]
        self.shared = self.world.db.get("SR", self.world.pool["default_SR"])
        self.other = self._sr(lambda sr: bool(sr["shared"]) and sr is not self.shared)
        self.local = self._sr(lambda sr: not sr["shared"] and sr["PBDs"] and self._host_of(sr) is self.hosts[0])

    def _sr(self, fits: Callable[[Object], Any]) -> Object:
        kinds = ("nfs", "ext", "lvm", "lvmoiscsi", "smb")
        return next(sr for sr in self.world.db.all("SR") if sr["type"] in kinds and fits(sr))

    def _host_of(self, sr: Object) -> Object:
        return self.world.db.get("host", self.world.db.get("PBD", sr["PBDs"][0])["host"])

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.world.stop()

    def call(self, name: str, *arguments: Any, task: Object | None = None) -> Any:
        """Call a message as the master, with what the wire would have read of its arguments."""
        message = MESSAGES[name]
        left = [param.default for param in message.params[len(arguments) :]]
        values = [{} if value == {} else value for value in (*arguments, *left)]
        with self.world.lock:
            return message.function(Call(self.world, self.world.master, None, task=task, message=message), *values)

    def begin(self, name: str, *arguments: Any) -> Running:
        """Call a message with a task, in a thread of its own."""
        return Running(self, name, arguments)

    def vm(self, state: str = "Halted", *, disks: int = 1, guest: Guest | None = None, **fields: Any) -> Object:
        """Make a VM in a power state, with disks in the shared SR and an interface."""
        with self.world.lock:
            vdis = [self.world.storage.create_vdi(self.shared, GIB, name=f"disk {n}") for n in range(disks)]
            vm = make_vm(
                self.world,
                name="web",
                host=self.hosts[0],
                power_state="Running" if state == "Suspended" else state,
                disks=vdis,
                networks=[self.network()],
                guest=guest or Guest(boot_seconds=0.0),
                **fields,
            )
        if state == "Suspended":
            self.call("VM.suspend", vm)
        return vm

    def network(self) -> Object:
        """A network with an interface on every host."""
        return next(one for one in self.world.db.all("network") if len(one["PIFs"]) >= len(self.hosts))

    def disks(self, vm: Object) -> list[Object]:
        """The VDIs in a VM's disk drives."""
        vbds = [self.world.db.get("VBD", ref) for ref in vm["VBDs"]]
        return [self.world.db.get("VDI", vbd["VDI"]) for vbd in vbds if vbd["type"] == "Disk"]

    def disk_count(self) -> int:
        """How many VDIs there are, without those that storage keeps for itself below them."""
        return sum(vdi["managed"] for vdi in self.world.db.all("VDI"))

    def allowed(self, vm: Object) -> set[str]:
        """What `allowed_operations` shows."""
        with self.world.lock:
            return set(allowed_operations(self.world, vm))

    def booted(self, vm: Object) -> None:
        """Wait until the guest's tools tell of themselves."""
        self.until(lambda: vm["guest_metrics"] != NULL)

    def until(self, predicate: Callable[[], Any]) -> None:
        """Wait until something is so."""
        with self.world.lock:
            assert self.world.lock.wait_for(predicate, 30)


class Running:
    """A call that runs in a thread, with its task."""

    def __init__(self, pool: Pool, name: str, arguments: tuple[Any, ...]) -> None:
        self.pool = pool
        self.task = pool.world.db.create("task", status="pending", name_label=name)
        self.failure: list[str] = []
        self._thread = threading.Thread(target=self._run, args=(name, arguments))
        self._thread.start()

    def _run(self, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            self.pool.call(name, *arguments, task=self.task)
        except Failure as failure:
            self.failure = failure.details

    def cancel(self) -> None:
        """Cancel the task."""
        self.pool.world.db.update(self.task, status="cancelling")

    def end(self) -> list[str]:
        """Wait for its end; return the failure it ended with."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.failure


@contextmanager
def refused(*details: str) -> Iterator[None]:
    """Expect a failure with these details; fewer than it has are compared with its first ones."""
    with pytest.raises(Failure) as caught:
        yield
    assert caught.value.details[: len(details)] == list(details)
