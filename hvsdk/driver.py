"""All that the author of a backend imports: `Driver`, `Backend`, `Target`, `Task`, `hookimpl` and the records.

A backend is one hook (`hvsdk_backends`) and one `Driver` subclass. The core owns capability checks, idempotence, waiting,
time limits, hooks, redaction, error translation, reconnecting and threads; a driver owns the vendor's calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk import _lazy, errors
from hvsdk._deadline import Deadline
from hvsdk._driver.backend import Backend, Option
from hvsdk._driver.base import Change, Driver, Result, Unsupported
from hvsdk._driver.boot import boot_places
from hvsdk._driver.disk_io import DiskReader, DiskWriter
from hvsdk._driver.frames import without_frames
from hvsdk._driver.guest_ip import guest_ip, prefix_length
from hvsdk._driver.hints import Hint, read_hints
from hvsdk._driver.operation import Operation, current_operation
from hvsdk._driver.steps import Pause, Steps, StepsTask, finish, in_background
from hvsdk._driver.system_error import system_error
from hvsdk._driver.target import Target, TLSOptions
from hvsdk._driver.task import BackgroundTask, Task
from hvsdk._driver.undoable import Undoable
from hvsdk.capability import Capability
from hvsdk.credentials import Credentials, KerberosCredentials, KeyCredentials, PasswordCredentials, TokenCredentials
from hvsdk.enums import EventKind, PowerState
from hvsdk.hooks import hookimpl
from hvsdk.models import (
    FIELD_GROUPS,
    Address,
    Applied,
    Changes,
    CloudInit,
    Console,
    CpuTopology,
    Disk,
    DiskSpec,
    DomainInfo,
    DomainSpec,
    DomainStats,
    Extent,
    FenceMark,
    FrozenDict,
    HostInfo,
    Lineage,
    Network,
    Nic,
    NicSpec,
    Node,
    SnapshotInfo,
    StoragePoolInfo,
    VolumeInfo,
    VolumeSpec,
)
from hvsdk.models._domain import domain_info_maker
from hvsdk.models._mapping import frozen
from hvsdk.models._marks import FENCE_KEY, read_marks, write_mark

if TYPE_CHECKING:
    from hvsdk._tls_context import fingerprint_of, tls_context

__all__ = [
    "FENCE_KEY",
    "FIELD_GROUPS",
    "Address",
    "Applied",
    "Backend",
    "BackgroundTask",
    "Capability",
    "Change",
    "Changes",
    "CloudInit",
    "Console",
    "CpuTopology",
    "Credentials",
    "Deadline",
    "Disk",
    "DiskReader",
    "DiskSpec",
    "DiskWriter",
    "DomainInfo",
    "DomainSpec",
    "DomainStats",
    "Driver",
    "EventKind",
    "Extent",
    "FenceMark",
    "FrozenDict",
    "Hint",
    "HostInfo",
    "KerberosCredentials",
    "KeyCredentials",
    "Lineage",
    "Network",
    "Nic",
    "NicSpec",
    "Node",
    "Operation",
    "Option",
    "PasswordCredentials",
    "Pause",
    "PowerState",
    "Result",
    "SnapshotInfo",
    "Steps",
    "StepsTask",
    "StoragePoolInfo",
    "TLSOptions",
    "Target",
    "Task",
    "TokenCredentials",
    "Undoable",
    "Unsupported",
    "VolumeInfo",
    "VolumeSpec",
    "boot_places",
    "current_operation",
    "domain_info_maker",
    "errors",
    "fingerprint_of",
    "finish",
    "frozen",
    "guest_ip",
    "hookimpl",
    "in_background",
    "prefix_length",
    "read_hints",
    "read_marks",
    "system_error",
    "tls_context",
    "without_frames",
    "write_mark",
]

__getattr__: _lazy.Load
__dir__: _lazy.Listing
__getattr__, __dir__ = _lazy.attach(__name__, {"hvsdk._tls_context": ("fingerprint_of", "tls_context")})
