"""One who follows the changes of a driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hvsdk.driver import Change, Deadline, DomainInfo
from vmware_support import soon

from hvsdk_vmware._driver import VmwareDriver

__all__ = ["STATE", "Follower"]

STATE: frozenset[str] = frozenset()


class Follower:
    """A driver that is asked for changes as the core does it."""

    def __init__(self, driver: VmwareDriver) -> None:
        self.driver = driver
        self.token: Any = None
        self.domains: dict[str, DomainInfo] = {}
        self.subscribe()

    def subscribe(self) -> None:
        _, self.token = self.driver.watch(None, 0.0, deadline=soon())
        self.domains = {info.native_id: info for info in self.driver.list_domains(STATE, deadline=soon())}

    def next(self, seconds: float = 1.0) -> list[Change]:
        changes, self.token = self.driver.watch(self.token, seconds, deadline=soon())
        for change in changes:
            self.domains.pop(change.native_id, None)
            if change.info is not None:
                self.domains[change.native_id] = change.info
        if self.token is None:
            self.subscribe()
        return list(changes)

    def until(self, wanted: Callable[[Change], Any], seconds: float = 20.0) -> Change:
        deadline = Deadline(seconds)
        while not deadline.expired:
            for change in self.next():
                if wanted(change):
                    return change
        raise AssertionError("that was not told")
