"""Servers that stand in for hypervisors that no test can run: they speak the product's own protocol and keep state."""

from ._running import ControlError, Running, start
from ._vcsim import BuildError, NoGoError

__all__ = ["BuildError", "ControlError", "NoGoError", "Running", "start"]
