"""Helpers of the tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import libvirt
from hvsdk.driver import Deadline, Target, Task

from hvsdk_kvm._driver import KvmDriver

OpenDriver = Callable[..., KvmDriver]

BOOT_SECONDS = 240.0
"""How long a Linux guest may take to come up, emulated, on a machine that has much else to do."""


def target_of(url: str, *, timeout: float = 30.0, **more: Any) -> Target:
    """Return the target of a URL, as `hvsdk.connect` would make it."""
    parts = urlsplit(url)
    return Target(
        url=url,
        scheme=parts.scheme,
        hostname=parts.hostname,
        port=parts.port,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query)),
        username=parts.username,
        timeout=timeout,
        backend="kvm",
        **more,
    )


def soon() -> Deadline:
    """Return the deadline of one call in a test."""
    return Deadline(30.0)


def world_domain(name: str, *, more: str = "", uuid: str | None = None) -> str:
    """Return the XML of a domain of the test driver; such domains run from the beginning."""
    identity = f"<uuid>{uuid}</uuid>" if uuid else ""
    return (
        f"<domain type='test'><name>{name}</name>{identity}<memory unit='MiB'>64</memory><vcpu>2</vcpu>"
        f"<os><type>hvm</type></os>{more}</domain>"
    )


def discard_all(connection: libvirt.virConnect) -> None:
    """End and forget every domain."""
    for domain in connection.listAllDomains():
        discard(domain)


def discard(domain: libvirt.virDomain) -> None:
    """End a domain and forget it, whatever state it is in."""
    flags = (
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    )
    try:
        if domain.isActive():
            domain.destroy()
        if domain.isPersistent():
            domain.undefineFlags(flags)
    except libvirt.libvirtError as exc:
        if exc.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise


def finish(task: Task[Any] | Any, seconds: float = 60.0) -> Any:
    """Return a verb's result, waiting for its task as the core does."""
    if not isinstance(task, Task):
        return task
    deadline = Deadline(seconds)
    while not deadline.expired:
        done, _, result = task.poll()
        if done:
            return result
        task.wait(0.2) if task.can_wait else time.sleep(0.05)
    raise AssertionError(f"not done within {seconds} s")


def eventually(condition: Callable[[], Any], seconds: float = 90.0) -> bool:
    """Return whether the condition became true in time."""
    deadline = Deadline(seconds)
    while not condition():
        if deadline.expired:
            return False
        time.sleep(0.02)
    return True
