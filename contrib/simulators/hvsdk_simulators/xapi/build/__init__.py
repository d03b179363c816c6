"""A pool to begin with: hosts, networks, storage, templates and VMs, the same for the same seed."""

from hvsdk_simulators.xapi.build.pool import build

__all__ = ["build"]
