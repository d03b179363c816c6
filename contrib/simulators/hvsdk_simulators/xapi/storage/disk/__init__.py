"""Disks with real content that cost nothing until they are written: blocks in layers, blocks in one sparse arena."""

from ._arena import BLOCK
from ._disk import Disk
from ._store import DiskStore

__all__ = ["BLOCK", "Disk", "DiskStore"]
