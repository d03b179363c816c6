"""For tests: the conformance kit for backends, and the in-memory hypervisor behind `fake://`.

Importing this package imports no test framework; the kit does when it is first used.
"""

from typing import TYPE_CHECKING

from hvsdk import _lazy

if TYPE_CHECKING:
    from hvsdk.testing._command import conformance_command
    from hvsdk.testing.conformance import BackendConformance

__all__ = ["BackendConformance", "conformance_command"]

__getattr__: "_lazy.Load"
__dir__: "_lazy.Listing"
__getattr__, __dir__ = _lazy.attach(
    __name__,
    {
        "hvsdk.testing._command": ("conformance_command",),
        "hvsdk.testing.conformance": ("BackendConformance",),
    },
)
