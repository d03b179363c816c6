"""The simulated host with all that is on it, and the other nodes when it is one of a cluster."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import attrs

from .options import Options
from .vms import Vm

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["StoppedError", "Switch", "World"]

_LOOK_SECONDS = 0.02
"""How long a cmdlet that takes its time goes on after its pipeline was stopped."""


class StoppedError(Exception):
    """The pipeline that a cmdlet runs in was stopped."""


@attrs.define(kw_only=True, eq=False)
class Switch:
    """A virtual switch."""

    id: UUID = attrs.field(factory=uuid4)
    name: str
    type: str = "Internal"
    """Label of VMSwitchType."""
    notes: str = ""
    interface: str | None = None
    """Description of the physical adapter of an external one."""


class World:
    """All state. Whoever reads or writes it holds `lock`; cmdlets are run with it held.

    Attributes:
        options: How it was asked for.
        root: Directory of the host's files. Each file is named by its whole path on Windows, `C:\\VMs\\a.vhdx`: on this
            side a name without any directory, so that scripts open files by their own path when this is where they run.
        vms: By id, in the order in which they were made.
        switches: By id.
        rng: What all that is invented comes from.
        node: Name of the host, in upper case as `ComputerName` shows it.
        disk_path: Default folder of disks.
        vm_path: Default folder of configurations.
    """

    def __init__(self, options: Options, root: Path) -> None:
        self.options = options
        self.root = root
        self.lock = threading.RLock()
        self.rng = random.Random(options.seed)
        self.vms: dict[UUID, Vm] = {}
        self.switches: dict[UUID, Switch] = {}
        self.node = "HV-1"
        self.nodes = [f"HV-{number + 1}" for number in range(options.nodes)]
        self.disk_path = "C:\\Hyper-V\\Virtual Hard Disks"
        self.vm_path = "C:\\Hyper-V"
        self.booted = datetime.now(UTC)
        self.facts: dict[str, Any] = {}
        """State of single subjects, by the name of the module that keeps it."""
        self._later: list[threading.Timer] = []
        self._passing = threading.Condition(self.lock)
        self._thread = threading.local()

    def new_id(self) -> UUID:
        """Return an id that follows from the seed."""
        return UUID(int=self.rng.getrandbits(128), version=4)

    def sleep(self, seconds: float) -> None:
        """Let an operation take its time. Called with the lock held, which others may have meanwhile."""
        self.wait(seconds * self.options.duration_scale)

    def wait(self, seconds: float) -> None:
        """Let time pass, with the lock given up whole however deep cmdlets called each other.

        Raises:
            StoppedError: Whoever asked for the cmdlet has stopped its pipeline.
        """
        end = time.monotonic() + seconds
        stopped: Callable[[], bool] | None = getattr(self._thread, "stopped", None)
        while (left := end - time.monotonic()) > 0:
            if stopped is not None and stopped():
                raise StoppedError
            self._passing.wait(min(left, _LOOK_SECONDS) if stopped is not None else left)

    @contextlib.contextmanager
    def stopping_when(self, stopped: Callable[[], bool] | None) -> Iterator[None]:
        """Have what this thread does ask now and then whether it is to stop."""
        before = getattr(self._thread, "stopped", None)
        self._thread.stopped = stopped
        try:
            yield
        finally:
            self._thread.stopped = before

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, with the lock held: a guest that goes down, disks that are merged."""

        def work() -> None:
            with self.lock:
                action()

        if seconds <= 0:
            action()
            return
        timer = threading.Timer(seconds, work)
        timer.daemon = True
        self._later.append(timer)
        timer.start()

    def stop(self) -> None:
        """Forget what is still to be done."""
        for timer in self._later:
            timer.cancel()
