"""What a server counts: calls by method, and bytes of the streams beside the calls."""

from __future__ import annotations

import threading
from collections import Counter


class Counters:
    """Calls and bytes since the last reset. All threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._received: Counter[str] = Counter()

    def call(self, name: str) -> None:
        """Count a call by the method's name, or a request by its path. Calls that meet a fault count, too."""
        with self._lock:
            self._calls[name] += 1

    def sent(self, name: str, size: int) -> None:
        """Count bytes of a body that went to a client, by what sent them: `/export_raw_vdi`, `nbd`."""
        with self._lock:
            self._sent[name] += size

    def received(self, name: str, size: int) -> None:
        """Count bytes of a body that came from a client."""
        with self._lock:
            self._received[name] += size

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            for one in (self._calls, self._sent, self._received):
                one.clear()

    def calls(self) -> dict[str, int]:
        """Return the calls by method."""
        with self._lock:
            return dict(self._calls)

    def bytes_sent(self) -> dict[str, int]:
        """Return the bytes that went out, by what sent them."""
        with self._lock:
            return dict(self._sent)

    def bytes_received(self) -> dict[str, int]:
        """Return the bytes that came in, by what took them."""
        with self._lock:
            return dict(self._received)
