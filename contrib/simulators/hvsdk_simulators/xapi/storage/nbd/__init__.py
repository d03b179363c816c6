"""The NBD servers of a pool: one at each member, as XenServer's own one is."""

from ._listener import LIMIT, NbdServer

__all__ = ["LIMIT", "NbdServer"]
