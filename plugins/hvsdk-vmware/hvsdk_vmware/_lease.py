"""Leases: the permission to move the disks of a domain for a while, which ends when nobody asks for more.

A lease is kept by a thread of its own, whatever its transfers do; it always ends with `Complete` or `Abort`, also where
whoever had it forgot it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable

from hvsdk.driver import Deadline, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec, paths_of
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._keep_alive import keep_alive
from hvsdk_vmware._session import VmwareSession
from hvsdk_vmware._stub import notable

__all__ = ["Lease", "LeaseShare", "LeaseShares"]

Collector = vmodl.query.PropertyCollector
_PATHS = ("state", "info", "error")
_LONGEST_BEAT = 60.0
_LONGEST_PAUSE = 1.0
_GONE = "the lease has ended: vSphere takes it back when its host or its session goes away"


class Lease:
    """A lease that is ready.

    Args:
        session: The connection.
        lease: What `ExportVm`, `ExportSnapshot` or `ImportVApp` returned.
        deadline: For becoming ready.

    Attributes:
        info: What it is for, with the addresses of the disks.
        percent: What the heartbeat tells of the progress.

    Raises:
        vmodl.MethodFault: Why it is not given. It is aborted then.
        OperationTimeoutError: It was not ready in time. It is aborted then.
    """

    def __init__(self, session: VmwareSession, lease: vim.HttpNfcLease, deadline: Deadline) -> None:
        self.percent = 0
        self._session = session
        self._lease = lease
        self._ended = False
        try:
            self.info: vim.HttpNfcLease.Info = self._await(deadline)
        except BaseException:
            self.end(complete=False)
            raise
        self._stop = keep_alive(self._beat, _beat_seconds(self.info.leaseTimeout))

    def _await(self, deadline: Deadline) -> vim.HttpNfcLease.Info:
        pause = 0.02
        while True:
            known = self._read(deadline)
            state, error = str(known.get("state")), known.get("error")
            info = known.get("info")
            if state == "ready" and isinstance(info, vim.HttpNfcLease.Info):
                return info
            if isinstance(error, Exception):
                raise notable(error)
            if state in ("error", "done"):
                raise errors.OperationFailedError("vSphere gave no lease for the disks, and no reason")
            if deadline.remaining() <= pause:
                raise errors.OperationTimeoutError(
                    "the lease for the disks was not ready in time", hint="connect with a longer timeout="
                )
            time.sleep(pause)
            pause = min(pause * 1.6, _LONGEST_PAUSE)

    def _read(self, deadline: Deadline) -> dict[str, object]:
        wish = Collector.FilterSpec(
            propSet=paths_of({vim.HttpNfcLease: _PATHS}),
            objectSet=[object_spec(self._lease)],
            reportMissingObjectsInResults=True,
        )
        read = self._session.content.propertyCollector.RetrievePropertiesEx
        page = self._session.call(read, [wish], Collector.RetrieveOptions(), deadline=deadline)
        found = {entry.name: entry.val for one in (page.objects if page else ()) for entry in one.propSet}
        if "state" not in found:
            raise errors.ConnectionLostError(_GONE)
        return found

    def _beat(self, seconds: float) -> None:
        """Ask for the lease to be kept; should that fail, the transfer shows it."""
        if not self._ended:
            with contextlib.suppress(*FAILURES):
                self._session.call(self._lease.Progress, self.percent, deadline=self._session.soon())

    def check(self) -> None:
        """Raise why the lease is no more, if it is not.

        Raises:
            ConnectionLostError: It has ended.
        """
        known = self._read(self._session.soon())
        if str(known.get("state")) == "ready":
            return
        error = known.get("error")
        told = f": {type(error).__name__.rpartition('.')[2]}" if isinstance(error, Exception) else ""
        raise errors.ConnectionLostError(f"{_GONE}{told}")

    def complete(self) -> None:
        """End it well. For an import that is the moment at which what was made becomes a domain.

        Raises:
            vmodl.MethodFault: vSphere does not take what was sent.
        """
        self._end()
        self._session.call(self._lease.Complete, deadline=self._session.soon())

    def end(self, *, complete: bool, deadline: Deadline | None = None) -> None:
        """End it, whether that is heard or not: vSphere does so itself a little later. Twice is harmless."""
        if self._ended:
            return
        self._end()
        call = self._lease.Complete if complete else self._lease.Abort
        with contextlib.suppress(*FAILURES):
            self._session.call(call, deadline=deadline or self._session.soon())

    def _end(self) -> None:
        self._ended = True
        stop: threading.Event | None = getattr(self, "_stop", None)
        if stop is not None:
            stop.set()


def _beat_seconds(timeout: int | None) -> float:
    """Return how often a lease is asked for: four times in the time after which it ends."""
    return max(0.25, min(_LONGEST_BEAT, (timeout or 0) / 4))


class LeaseShare:
    """A lease that several readers use: vSphere gives one at a time for the same domain."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.users = 0
        self.lock = threading.Lock()
        self.lease: Lease | None = None
        self.complete = True


class LeaseShares:
    """The export leases of a connection, one for each domain or snapshot that is being read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shares: dict[Hashable, LeaseShare] = {}

    def take(self, key: Hashable, begin: Callable[[], Lease]) -> LeaseShare:
        """Return the lease of something, begun when there is none; give it back exactly once."""
        with self._lock:
            share = self._shares.setdefault(key, LeaseShare(key))
            share.users += 1
        try:
            with share.lock:
                if share.lease is None:
                    share.lease = begin()
                return share
        except BaseException:
            self._leave(share)
            self._sweep(share)
            raise

    def give_back(self, share: LeaseShare, *, complete: bool) -> None:
        """Let it go; the last one ends it, as completed when all have read all."""
        with share.lock:  # who comes meanwhile begins another one when this one has ended
            share.complete = share.complete and complete
            if self._leave(share) and share.lease is not None:
                lease, share.lease = share.lease, None
                lease.end(complete=share.complete)
                share.complete = True
        self._sweep(share)

    def _leave(self, share: LeaseShare) -> bool:
        """Count a user less, and return whether it was the last one."""
        with self._lock:
            share.users -= 1
            return share.users == 0

    def _sweep(self, share: LeaseShare) -> None:
        with self._lock:
            if share.users == 0 and self._shares.get(share.key) is share:
                del self._shares[share.key]

    def end_all(self, deadline: Deadline) -> None:
        """Abort all: their connection is about to be closed."""
        for share in self.forget_all():
            if share.lease is not None:
                share.lease.end(complete=False, deadline=deadline)

    def forget_all(self) -> list[LeaseShare]:
        """Let go of all without a word, and return them."""
        self._lock = threading.Lock()  # in a forked child a thread of the parent's may have it
        shares, self._shares = list(self._shares.values()), {}
        return shares
