"""A pool in this process, whose messages and handlers are called without a server between."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from hvsdk_simulators.xapi import sessions
from hvsdk_simulators.xapi.build import build
from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.derived import DERIVED
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import HANDLERS
from hvsdk_simulators.xapi.messages import MESSAGES
from hvsdk_simulators.xapi.options import Options
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.world import World


class Pool:
    """A pool of two hosts."""

    def __init__(self, **options: Any) -> None:
        self.world = World(Options(**({"domains": 3, "hosts": 2, "seed": 7, "duration_scale": 0.0} | options)))
        build(self.world)
        self.session = self.login("root")

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.world.stop()

    def login(self, user: str) -> Object:
        """A session of a user."""
        with self.world.lock:
            return sessions.login(self.world, self.world.master, user, self.world.options.password)

    def call(self, name: str, *arguments: Any, member: Object | None = None) -> Any:
        """Call a message as the dispatcher does: with the world locked and the defaults of what is left off."""
        found = MESSAGES[name]
        left_off = [None if one.default == NULL else one.default for one in found.params[len(arguments) :]]
        with self.world.lock:
            call = Call(self.world, member or self.world.master, self.session)
            return found.function(call, *arguments, *left_off)

    def refused(self, name: str, *arguments: Any) -> list[str]:
        """Call a message that is refused, and return the error."""
        with pytest.raises(Failure) as caught:
            self.call(name, *arguments)
        return caught.value.details

    def allowed(self, obj: Object) -> list[str]:
        """The operations that an object shows as allowed."""
        found: list[str] = DERIVED[obj.cls]["allowed_operations"](self.world, obj)
        return found

    def sr(self, kind: str) -> Object:
        """The first SR of a type."""
        return next(sr for sr in self.world.db.all("SR") if sr["type"] == kind)

    def vm(self, power_state: str, **fields: Any) -> Object:
        """The first VM that is no template and has such fields."""
        wanted = {"power_state": power_state, "is_a_template": False, "is_control_domain": False} | fields
        return next(vm for vm in self.world.db.all("VM") if wanted.items() <= vm.fields.items())

    def vdi(self, kind: str = "nfs", size: int = 64 * MIB, **fields: Any) -> Object:
        """A new, empty disk."""
        made: Object = self.world.storage.create_vdi(self.sr(kind), size, name="test disk", **fields)
        return made

    def drive_record(self, vm: Object, vdi: Object | None, **fields: Any) -> dict[str, Any]:
        """What a drive is made from."""
        return {
            "VM": vm.ref,
            "VDI": vdi.ref if vdi else NULL,
            "userdevice": "autodetect",
            "bootable": False,
            "mode": "RW",
            "type": "Disk",
            "empty": vdi is None,
            "other_config": {},
            "qos_algorithm_type": "",
            "qos_algorithm_params": {},
        } | fields

    def drive(self, vm: Object, vdi: Object | None, **fields: Any) -> Object:
        """A new drive of a VM."""
        made: Object = self.call("VBD.create", self.drive_record(vm, vdi, **fields))
        return made

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        /,
        **query: str,
    ) -> Answer:
        """Send a request to a handler."""
        exchange = Answer(self, method, path, query, body, {"content-length": str(len(body))} | dict(headers or {}))
        try:
            HANDLERS[method, path](exchange)
        except Failure as failure:
            exchange.failure = failure.details
        return exchange


class Answer:
    """One request and what came of it."""

    def __init__(
        self, pool: Pool, method: str, path: str, query: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> None:
        self.world = pool.world
        self.member = pool.world.members[0]
        self.session = pool.session
        self.task: Object | None = None
        self.method = method
        self.path = path
        self.query = query
        self.cookies: Mapping[str, str] = {}
        self.headers = headers
        self.content_length = int(headers["content-length"]) if "content-length" in headers else None
        self.status = 0
        self.answered: Mapping[str, str] = {}
        self.content = bytearray()
        self.failure: list[str] = []
        self.told = ""
        self._body = io.BytesIO(body)

    def read(self, size: int) -> bytes:
        return self._body.read(size)

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.answered = status, headers

    def write(self, data: bytes) -> None:
        self.content += data

    def upgrade(self) -> socket.socket:
        raise AssertionError("handlers of disks take no connection over")

    def result(self, text: str) -> None:
        self.told = text

    @property
    def refs(self) -> list[str]:
        """The references that the task ends with."""
        return re.findall(r"OpaqueRef:[0-9a-f-]+", self.told)
