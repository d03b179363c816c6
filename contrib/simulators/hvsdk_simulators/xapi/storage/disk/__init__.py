"""Disks with real content that cost nothing until they are written: blocks in layers, blocks in one sparse arena."""

from ._arena import BLOCK, Arena
from ._content import generated, planned
from ._disk import Disk, Extent
from ._store import DiskStore

__all__ = ["BLOCK", "Arena", "Disk", "DiskStore", "Extent", "generated", "planned"]
