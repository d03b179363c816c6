"""Helpers of the tests: drivers and hosts on a stand-in."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hvsdk
import pytest
from hvsdk.driver import Deadline, PasswordCredentials, Target, Task, TLSOptions
from hvsdk_simulators import Running

from hvsdk_hyperv import OPTIONS
from hvsdk_hyperv._driver import HyperVDriver

__all__ = [
    "REFERENCE",
    "connect",
    "eventually",
    "finished",
    "opened",
    "powershell",
    "requests_of",
    "soon",
    "target_of",
]

_ROOT = Path(__file__).resolve().parents[3]
REFERENCE = _ROOT.parent / "shared" / "reference"
_TOOL = _ROOT.parent / "shared" / "tools" / "powershell"


def powershell() -> str:
    """Return the PowerShell that tests use, or skip."""
    found = os.environ.get("HVSDK_POWERSHELL") or (str(_TOOL) if _TOOL.exists() else shutil.which("pwsh"))
    if found is None:
        pytest.skip("there is no PowerShell: name one with HVSDK_POWERSHELL")
    return found


def soon(seconds: float = 20.0) -> Deadline:
    """Time enough for one call."""
    return Deadline(seconds)


def connect(server: Running, **more: Any) -> hvsdk.Host:
    """Connect as the administrator, to the certificate that the stand-in shows."""
    wishes = {"password": server.password, "verify": server.fingerprint or True, "timeout": 30.0} | more
    return hvsdk.connect(server.url, **wishes)


def target_of(server: Running, **more: Any) -> Target:
    """Return what `connect` would give to a driver."""
    url = urlsplit(server.url)
    options = {name: option.default for name, option in OPTIONS.items()} | more.pop("options", {})
    credentials = PasswordCredentials(password=more.pop("password", server.password), username=server.username)
    wishes: dict[str, Any] = {
        "url": server.url,
        "scheme": url.scheme,
        "hostname": url.hostname,
        "port": url.port,
        "username": server.username,
        "options": options,
        "tls": TLSOptions(pins=(server.fingerprint,) if server.fingerprint else ()),
        "timeout": 30.0,
        "credentials": lambda: credentials,
    }
    return Target(**wishes | more)


@contextlib.contextmanager
def opened(server: Running, **more: Any) -> Iterator[HyperVDriver]:
    """Open a driver, and close it."""
    driver = HyperVDriver(target_of(server, **more))
    try:
        driver.open(deadline=soon(30.0))
        yield driver
    finally:
        driver.close()


def finished(task: Task[Any] | Any, seconds: float = 30.0) -> Any:
    """See a task through, as the core does; what is no task is a result."""
    if not isinstance(task, Task):
        return task
    deadline = soon(seconds)
    while True:
        done, _, result = task.poll()
        if done:
            return result
        assert not deadline.expired, "the task did not end"
        if task.can_wait:
            task.wait(0.1)
        else:
            time.sleep(0.05)


def eventually(happens: Callable[[], object], seconds: float = 20.0) -> bool:
    """Wait until something is so, and return whether it came to that."""
    deadline = soon(seconds)
    while not happens():
        if deadline.expired:
            return False
        time.sleep(0.05)
    return True


def requests_of(server: Running, work: Callable[[], Any]) -> dict[str, int]:
    """Return how often each action of WS-Management was asked for by some work."""
    server.reset_counts()
    work()
    return {name: count for name, count in server.counts().items() if count and "/" not in name}
