"""Connections to the members of a pool, kept open in between calls."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from hvsdk.connections import Connection, Endpoint, Pool
from hvsdk.driver import Deadline

__all__ = ["MemberConnections"]


class MemberConnections:
    """One pool of connections for each member."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[Endpoint, Pool] = {}

    def lend(
        self, endpoint: Endpoint, deadline: Deadline, *, fresh: bool = False
    ) -> AbstractContextManager[Connection]:
        """Lend a connection to a member for one exchange, see `hvsdk.connections.Pool`."""
        with self._lock:
            pool = self._pools.setdefault(endpoint, Pool(endpoint))
            pool.endpoint = endpoint  # more certificates may have been learnt for it since
        return pool.lend(deadline, fresh=fresh)

    def close(self) -> None:
        """Close what is idle, and keep nothing any more."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def abandon(self) -> None:
        """Drop all sockets in a forked child, without a word and without waiting for a lock of the parent's."""
        for pool in self._pools.values():
            pool.abandon()
