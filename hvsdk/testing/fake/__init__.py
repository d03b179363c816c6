"""`fake://`: a complete hypervisor in memory, for tests, examples and authors of backends.

`hvsdk.connect("fake://demo?domains=100&seed=7")` makes a world that is the same every time. It has every capability but
`MULTIPROCESS`, and refuses what real products refuse. What no client can do from outside (crash a guest, drop a
connection, act as another client) is done through `control(host)`.

The package is also the contract of `hvsdk.driver.Driver` as a product that keeps it would read it: one file for each
subject, in the order in which one would write a backend: `_connection`, `_errors`, `_records`, `_power`, …
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk._driver.backend import Backend
from hvsdk.hooks import hookimpl
from hvsdk.testing.fake._options import OPTIONS

if TYPE_CHECKING:
    from hvsdk import Host
    from hvsdk.testing.fake._control import FakeControl

__all__ = ["control", "hvsdk_backends"]


@hookimpl
def hvsdk_backends() -> list[Backend]:
    """Say what this plugin brings; the driver is imported by the first connection."""
    return [
        Backend(
            name="fake",
            schemes=("fake",),
            summary="In memory, for tests and examples",
            driver="hvsdk.testing.fake._driver:FakeDriver",
            options=OPTIONS,
        )
    ]


def control(host: Host) -> FakeControl:
    """Return the side door to a fake host's world: faults, guests, other clients, counts.

    It is what `host.native()` returns.

    Raises:
        TypeError: The host is not a `fake://` one.
    """
    from hvsdk.testing.fake._control import FakeControl

    native = host.native()
    if not isinstance(native, FakeControl):
        raise TypeError(f"{host!r} is no fake:// host")
    return native
