"""Which driver breaks what, and who catches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from hvsdk.driver import Backend, Deadline, DomainInfo, hookimpl
from hvsdk.testing.fake._domain import Config, FakeDomain
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._options import OPTIONS

CASES: dict[str, Case] = {}


@attrs.frozen(kw_only=True)
class Case:
    """One broken driver."""

    driver: type[FakeDriver]
    test: str
    """The test of the kit that must fail, with its parameters."""
    patience: float
    query: str

    @property
    def scheme(self) -> str:
        return "broken-" + self.driver.__name__.lower()


def caught_by(test: str, *, patience: float = 1.5, query: str = "") -> Callable[[type[FakeDriver]], type[FakeDriver]]:
    """Enter a driver into the table."""

    def enter(driver: type[FakeDriver]) -> type[FakeDriver]:
        CASES[driver.__name__] = Case(driver=driver, test=test, patience=patience, query=query)
        return driver

    return enter


class Plugin:
    """Brings all broken drivers, each under a scheme of its own."""

    @hookimpl
    def hvsdk_backends(self) -> list[Backend]:
        return [
            Backend(
                name=case.scheme,
                schemes=(case.scheme,),
                driver=f"{case.driver.__module__}:{case.driver.__name__}",
                options=OPTIONS,
            )
            for case in CASES.values()
        ]


class Insider(FakeDriver):
    """A driver that reaches into its world, to do there what it should not."""

    @contextmanager
    def inside(self, native_id: str) -> Iterator[tuple[FakeDomain, Config]]:
        """Give a domain and its settings, under the world's lock."""
        assert self._world is not None
        with self._world.lock:
            domain = self._world.domain(native_id)
            yield domain, self._world.config(domain)


MAKES_RECORDS = (
    *("get_domain", "create_domain", "clone", "rename"),
    *("start", "resume", "power_off", "reset", "pause", "unpause", "suspend"),
)


class Reshaping(Insider):
    """A driver that says something else of every domain than what is."""

    def reshape(self, info: DomainInfo) -> DomainInfo:
        """Return what it says."""
        raise NotImplementedError

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> list[DomainInfo]:
        return [self.reshape(info) for info in super().list_domains(include, deadline=deadline)]


def _reshaped(verb: str) -> Callable[..., Any]:
    def method(self: Reshaping, *args: Any, **more: Any) -> Any:
        result = getattr(super(Reshaping, self), verb)(*args, **more)
        return self.reshape(result) if isinstance(result, DomainInfo) else result

    return method


for _verb in MAKES_RECORDS:
    setattr(Reshaping, _verb, _reshaped(_verb))
