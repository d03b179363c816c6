"""A very small hypervisor for the tests of the core: real state, and an answer of one's choice for each call."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hvsdk.driver import (
    Backend,
    Capability,
    DomainInfo,
    Driver,
    HostInfo,
    Operation,
    PowerState,
    Target,
    Unsupported,
    errors,
)


class ToyError(Exception):
    """What the toy's client library raises."""


class World:
    """What all connections to one toy see."""

    def __init__(self) -> None:
        self.states: dict[str, PowerState] = {"web": PowerState.SHUTOFF}
        self.calls: Counter[str] = Counter()
        self.plans: dict[str, list[Callable[[], Any]]] = {}
        self.opened = 0
        self.closed = 0
        self.limits: dict[Capability, Unsupported] = {}
        self.lock = threading.Lock()

    def plan(self, method: str, *steps: Callable[[], Any]) -> None:
        """Run these before the next calls of a method, one for each call."""
        self.plans.setdefault(method, []).extend(steps)

    def enter(self, method: str) -> None:
        with self.lock:
            self.calls[method] += 1
            steps = self.plans.get(method)
            step = steps.pop(0) if steps else None
        if step is not None:
            step()


def raising(error: BaseException) -> Callable[[], None]:
    """Return a step that raises."""

    def step() -> None:
        raise error

    return step


class ToyDriver(Driver):
    """Starts and stops domains that have names for ids."""

    max_in_flight = 4
    world: World

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.is_closed = False

    def open(self, *, deadline):
        self.world.enter("open")
        self.world.opened += 1

    def close(self):
        if not self.is_closed:
            self.is_closed = True
            self.world.enter("close")
            self.world.closed += 1

    def host_info(self, *, deadline):
        self.world.enter("host_info")
        return HostInfo(product="Toy", version="1")

    def host_limits(self, *, deadline):
        return self.world.limits

    def list_domains(self, include, *, deadline):
        self.world.enter("list_domains")
        return [self._info(name) for name in self.world.states]

    def get_domain(self, native_id, include, *, deadline):
        self.world.enter("get_domain")
        return self._info(native_id)

    def start(self, native_id, *, deadline):
        self._power(native_id, "start", PowerState.RUNNING)

    def pause(self, native_id, *, deadline):
        self._power(native_id, "pause", PowerState.PAUSED)

    def power_off(self, native_id, *, discard_memory, deadline):
        self._power(native_id, "power_off", PowerState.SHUTOFF)

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        codes = {"gone": errors.DomainNotFoundError, "state": errors.PowerStateError, "busy": errors.BusyError}
        if isinstance(exc, ConnectionError):
            return errors.ConnectionLostError("the toy hung up")
        if isinstance(exc, ToyError):
            code = str(exc)
            if code == "session":
                return errors.SessionExpiredError("the toy forgot us")
            return codes.get(code, errors.OperationFailedError)(code, native_code=code)
        return None

    def _power(self, native_id: str, method: str, state: PowerState) -> None:
        self.world.enter(method)
        if native_id not in self.world.states:
            raise ToyError("gone")
        if self.world.states[native_id] is state:
            raise ToyError("state")
        self.world.states[native_id] = state
        self.world.enter(f"{method} done")

    def _info(self, name: str) -> DomainInfo:
        state = self.world.states.get(name)
        if state is None:
            raise ToyError("gone")
        return DomainInfo(
            native_id=name,
            uuid=None,
            name=name,
            power_state=state,
            hypervisor="toy",
            vcpus=1,
            memory_bytes=2**20,
            folder=None,
            max_vcpus=1,
            cpu_topology=None,
            max_memory_bytes=2**20,
            disks=(),
            nics=(),
            firmware=None,
            secure_boot=None,
            virtualization=None,
            autostart=None,
            tags=(),
            notes="",
            metadata={},
            created_at=None,
            started_at=None,
            details={},
        )


def toy(**attributes: Any) -> tuple[Backend, type[ToyDriver], Target, World]:
    """Return a backend, its driver class, a target and the world behind them."""
    world = World()
    driver_class = type("Toy", (ToyDriver,), {"world": world, **attributes})
    backend = Backend(name="toy", schemes=("toy",), driver="tests.toy:ToyDriver")
    return backend, driver_class, Target(url="toy://one", scheme="toy", backend="toy", timeout=5.0), world


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is true, and fail when it does not become so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)
