"""Fixtures of the core's tests: whatever a test registers or sets is gone after it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import login_toy
import pytest
import toy

import hvsdk
from hvsdk._door import Door
from hvsdk.driver import Backend


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let Ctrl-C interrupt the tests and what they start: a shell starts what goes on in the background without it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def register() -> Iterator[Callable[..., Any]]:
    """Register plugins for the length of a test."""
    registered = []

    def add(plugin: Any, name: str | None = None) -> Any:
        hvsdk.register(plugin, name)
        registered.append(plugin)
        return plugin

    yield add
    for plugin in registered:
        hvsdk.unregister(plugin)


@pytest.fixture
def toy_backend(register, monkeypatch) -> Iterator[Callable[..., Backend]]:
    """Register a backend for `toy://` with a driver that keeps what it was told; nothing of the caller's environment counts."""
    for name in [name for name in os.environ if name.startswith("HVSDK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "keyring", None)
    login_toy.LoginToy.forget()

    def add(**changes: Any) -> Backend:
        backend = login_toy.backend(**changes)
        register(login_toy.plugin(backend))
        return backend

    yield add
    login_toy.LoginToy.forget()


@pytest.fixture
def make_door() -> Iterator[Callable[..., Any]]:
    """Make doors to worlds of their own; they are closed after the test."""
    doors: list[Door] = []

    def make(timeout: float = 5.0, **attributes: Any) -> tuple[Door, toy.World]:
        backend, driver_class, target, world = toy.toy(**attributes)
        door = Door(backend, driver_class, target)
        door.timeout = timeout
        doors.append(door)
        return door, world

    yield make
    for door in doors:
        door.close()
