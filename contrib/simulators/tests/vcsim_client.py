"""The simulator of vSphere, asked with pyvmomi, and a way to wait for what it does."""

from __future__ import annotations

import os
import ssl
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import hvsdk_simulators
import pytest
from hvsdk_simulators import NoGoError, Running

pytest.importorskip("pyVmomi")

from pyVmomi import SoapStubAdapter, vim

VERSIONS = {"6.5": "vim.version.version11", "8.0": "vim.version.v8_0_2_0"}
_WAIT_SECONDS = 30.0


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    """Start the simulator; where there is no Go, the test is skipped, but not in CI."""
    with with_go(), hvsdk_simulators.start("vcsim", **options) as server:
        yield server


@contextmanager
def with_go() -> Iterator[None]:
    """Skip the test where something inside finds no Go, but not in CI."""
    try:
        yield
    except NoGoError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


class Client:
    """A session of the administrator."""

    def __init__(self, server: Running, api: str = "8.0") -> None:
        self.server = server
        parts = urlsplit(server.url)
        plain = parts.scheme == "vmware+http"
        assert parts.port
        self.stub = SoapStubAdapter(
            host=parts.hostname,
            port=-parts.port if plain else parts.port,
            version=VERSIONS[api],
            sslContext=None if plain else pinned(server),
            httpConnectionTimeout=20,
        )
        self.content = vim.ServiceInstance("ServiceInstance", self.stub).RetrieveContent()
        self.content.sessionManager.Login(server.username, server.password)

    def all(self, kind: Any) -> list[Any]:
        """Return all objects of a type, by name."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            return sorted(view.view, key=lambda one: one.name)
        finally:
            view.Destroy()

    def vms(self, state: str | None = None, *, tools: bool | None = None) -> list[Any]:
        """Return virtual machines that are no templates, in one power state, with Tools that run or without."""
        found = [one for one in self.all(vim.VirtualMachine) if one.config and not one.config.template]
        if state is not None:
            found = [one for one in found if one.runtime.powerState == state]
        if tools is not None:
            found = [one for one in found if (one.guest.toolsRunningStatus == "guestToolsRunning") is tools]
        return found

    def close(self) -> None:
        """Close the connections; the session is left to the server's end."""
        self.stub.DropConnections()


@contextmanager
def connected(server: Running, api: str = "8.0") -> Iterator[Client]:
    """Log in."""
    client = Client(server, api)
    try:
        yield client
    finally:
        client.close()


def pinned(server: Running) -> ssl.SSLContext:
    """Trust the certificate that the server shows now, whose fingerprint is compared by a test of its own."""
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    return ssl.create_default_context(cadata=ssl.get_server_certificate((parts.hostname, parts.port)))


def fetch(server: Running, url: str, *, data: bytes | None = None, **headers: str) -> bytes:
    """Read a URL of the server, or send data to it."""
    request = urllib.request.Request(url, data, headers)
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=pinned(server)))
    with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
        return bytes(answer.read())


def eventually(question: Callable[[], Any]) -> Any:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + _WAIT_SECONDS
    while not (answer := question()):
        assert time.monotonic() < end, "it has not become true"
        time.sleep(0.02)
    return answer


def done(task: Any) -> Any:
    """Wait for a task, and return its result.

    Raises:
        vmodl.MethodFault: It failed.
    """
    eventually(lambda: task.info.state in ("success", "error"))
    if task.info.error is not None:
        raise task.info.error
    return task.info.result


def grains(stream: bytes) -> dict[int, bytes]:
    """Read a stream-optimised disk by its format: content by place."""
    assert stream[:4] == b"KDMV"
    found, place = {}, 128 * 512
    while True:
        sector, size = (
            int.from_bytes(stream[place : place + 8], "little"),
            int.from_bytes(stream[place + 8 : place + 12], "little"),
        )
        if size:
            found[sector * 512] = zlib.decompress(stream[place + 12 : place + 12 + size])
            place += (12 + size + 511) // 512 * 512
        elif sector == 0:
            return found
        else:
            place += 512 + sector * 512
