"""What is asked of each host, in a form that travels to another process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hvsdk.capability import Capability
from hvsdk.errors import InvalidSpecError, UnsupportedError

if TYPE_CHECKING:
    from hvsdk._fleet.config import Endpoint
    from hvsdk._host import Host
    from hvsdk.models import DomainInfo

__all__ = ["infos", "networks", "on_domains", "on_host", "refuse_literal", "remote", "stats", "storage_pools"]

_hosts: dict[tuple[int, str, str], tuple[Endpoint, Host]] = {}
"""The hosts of a worker process, by its pid, name and URL: connections outlive single calls."""


def infos(host: Host, wanted: Mapping[str, Any]) -> list[DomainInfo]:
    """Return the records of domains."""
    return [domain.info for domain in host.domains(**wanted)]


def stats(host: Host) -> list[Any]:
    """Return the figures of all that run."""
    return list(host.stats())


def networks(host: Host) -> list[Any]:
    """Return the networks."""
    return list(host.networks())


def storage_pools(host: Host) -> list[Any]:
    """Return the records of the storage pools."""
    return [pool.info for pool in host.storage_pools()]


def on_host(host: Host, function: Callable[[Host], Any]) -> Any:
    """Call a function with a host."""
    return function(host)


def on_domains(
    host: Host, function: Callable[[Any], Any], ids: list[str], parallel: int
) -> list[tuple[str, Any, Exception | None]]:
    """Call a function with each of these domains, so many at a time; return (native id, result, error) of each."""
    from concurrent.futures import ThreadPoolExecutor

    def one(native_id: str) -> tuple[str, Any, Exception | None]:
        try:
            return native_id, function(host.domain(native_id)), None
        except Exception as exc:  # handed to the caller as data
            return native_id, None, exc

    if parallel == 1 or len(ids) == 1:
        return [one(native_id) for native_id in ids]
    with ThreadPoolExecutor(min(parallel, len(ids))) as pool:
        return list(pool.map(one, ids))


def remote(endpoint: Endpoint, origin: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Do it in a worker process, on a connection of that process: what an executor is given.

    Args:
        origin: The process that asks.

    Raises:
        UnsupportedError: The host lives in the process that asks, and a connection from here would not see the same.
    """
    host = _host(endpoint)
    if origin != os.getpid() and not host.supports(Capability.MULTIPROCESS):
        raise UnsupportedError(
            f"{host.url} cannot be reached from another process: what that sees is another world",
            capability=Capability.MULTIPROCESS,
            backend=host.backend,
            host=host.url,
            hint="ask it without an executor",
        )
    return function(host, *arguments)


def refuse_literal(name: str, url: str) -> None:
    """Refuse to ask a host elsewhere whose password would have to go there.

    Raises:
        InvalidSpecError: Always.
    """
    raise InvalidSpecError(
        f"the host {name!r} was given its password itself, which does not leave the process that asks",
        host=url,
        hint="give secret='env:NAME', or a SecretRef: it is read where the host is asked",
    )


def _host(endpoint: Endpoint) -> Host:
    from hvsdk._fleet.member import Member

    key = (os.getpid(), endpoint.name, endpoint.url)
    known, host = _hosts.get(key, (None, None))
    if host is None or host.closed or known != endpoint:
        host = Member(endpoint, None).host()
        _hosts[key] = endpoint, host
    return host
