"""What all HTTP handlers for disks begin with: which disk, whether it is here, how far the transfer is."""

from urllib.parse import urlencode

from hvsdk_simulators.xapi.call import Call, assert_allowed
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange

from .connections import assert_attached, hosts_of, sees
from .vbd_rules import sharing_refusal

CHUNK = 1 << 20
"""Bytes that are sent or taken at a time."""


def parameters(exchange: Exchange) -> dict[str, str]:
    """What a request asks, in its query or in cookies."""
    return {**exchange.cookies, **exchange.query}


def find(exchange: Exchange, cls: str, name: str) -> Object:
    """The object that a parameter names by reference or uuid."""
    db = exchange.world.db
    found = db.lookup(cls, name)
    return found if found is not None else db.find(cls, name)


def assert_content(exchange: Exchange, vdi: Object, mode: str) -> None:
    """Raise when the content of a disk is not to be had now, for reading (RO) or writing (RW)."""
    world = exchange.world
    assert_attached(world, world.db.get("SR", vdi["SR"]))
    if vdi["type"] == "cbt_metadata":
        raise Failure("VDI_INCOMPATIBLE_TYPE", vdi.ref, vdi["type"])
    refused = sharing_refusal(world, vdi, mode)
    if refused is not None:
        raise refused
    if mode == "RW" and world.storage.readers.has(vdi):
        raise Failure("VDI_IN_USE", vdi.ref, "attach")
    if mode == "RO" and vdi["current_operations"]:
        assert_allowed(world, vdi, "copy")


def redirected(exchange: Exchange, sr: Object) -> bool:
    """Send the client to a host that has the SR, when the one that was asked has not; say whether it was."""
    if sees(exchange.world, exchange.member.host, sr):
        return False
    host = hosts_of(exchange.world, sr)[0]
    query = urlencode(dict(exchange.query))
    exchange.start(302, {"Location": f"https://{host['address']}{exchange.path}{'?' if query else ''}{query}"})
    return True


class Progress:
    """Tells the task of a transfer how far it is, and ends the transfer when the task is cancelled."""

    _STEP = 0.01

    def __init__(self, exchange: Exchange | Call) -> None:
        self._world = exchange.world
        self._task = exchange.task
        self._shown = 0.0

    def __call__(self, share: float) -> None:
        task = self._task
        if task is None:
            return
        if task["status"] == "cancelling":
            raise Failure("TASK_CANCELLED", task.ref)
        if share - self._shown >= self._STEP:
            self._shown = share
            with self._world.lock:
                self._world.db.update(task, progress=min(1.0, share))
