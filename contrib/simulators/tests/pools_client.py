"""Clients of pools in processes of their own, by the standard library, and what they make and send there."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable
from typing import Any

from hvsdk_simulators import Running

NULL = "OpaqueRef:NULL"


class Refused(Exception):
    """What the pool refused: the code and its parameters."""

    def __init__(self, details: list[str]) -> None:
        super().__init__(": ".join((details[0], ", ".join(details[1:]))))
        self.details = details


class Client:
    """Calls methods of the pool's master, as root in a session of its own. Each call has a connection of its own."""

    def __init__(self, pool: Running) -> None:
        self._port = int(pool.members[0]["port"])
        self._secure = bool(pool.fingerprint)
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._session = self._post("session.login_with_password", pool.username, pool.password, "1.0", "test")

    def __call__(self, method: str, *params: Any) -> Any:
        """Call a method in the session."""
        return self._post(method, self._session, *params)

    def refusal(self, method: str, *params: Any) -> list[str]:
        """Return the error that a call answers with."""
        try:
            value = self(method, *params)
        except Refused as refused:
            return refused.details
        raise AssertionError(f"{method} was answered: {value!r:.200}")

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=30, context=self._context)
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)

    def _post(self, method: str, *params: Any) -> Any:
        connection = self._connection()
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise Refused([answer["error"]["message"], *answer["error"]["data"]])
        return answer["result"]


class Place:
    """One of the two pools, with a client of it."""

    def __init__(self, pool: Running) -> None:
        self.pool = pool
        self.api = Client(pool)
        (record,) = self.api("pool.get_all_records").values()
        self.sr: str = record["default_SR"]
        self.host: str = record["master"]
        self.network: str = self.api("PIF.get_network", self.api("host.get_management_interface", self.host))

    def make(self, state: str = "Halted", disks: int = 1) -> str:
        """Make a VM with disks that have something on them, and bring it to a power state."""
        templates = self.api("VM.get_by_name_label", "Other install media")
        vm: str = self.api("VM.clone", templates[0], "traveller")
        self.api("VM.provision", vm)
        self.api("VM.set_memory_limits", vm, *4 * (256 << 20,))
        for number in range(disks):
            fields: dict[str, Any] = {"name_label": f"disk {number}", "name_description": "", "SR": self.sr}
            fields |= {"virtual_size": 8 << 20, "type": "user", "sharable": False, "read_only": False}
            vdi = self.api("VDI.create", fields | {"other_config": {"kept": "yes"}})
            self.write(vdi, f"content of {number}", 5 << 20)
            self.attach(vm, vdi, number)
        self.connect(vm, 0)
        if state != "Halted":
            self.api("VM.start", vm, False, False)
            wait(lambda: "suspend" in self.api("VM.get_allowed_operations", vm))
        if state == "Suspended":
            self.api("VM.suspend", vm)
        return vm

    def attach(self, vm: str, vdi: str, number: int) -> None:
        drive: dict[str, Any] = {"VM": vm, "VDI": vdi, "userdevice": str(number), "bootable": number == 0, "mode": "RW"}
        drive |= {"type": "Disk", "unpluggable": True, "empty": False, "other_config": {}}
        self.api("VBD.create", drive | {"qos_algorithm_type": "", "qos_algorithm_params": {}})

    def connect(self, vm: str, number: int) -> None:
        card: dict[str, Any] = {
            "VM": vm,
            "network": self.network,
            "device": str(number),
            "MAC": "",
            "MTU": 1500,
            "other_config": {},
        }
        self.api("VIF.create", card | {"qos_algorithm_type": "", "qos_algorithm_params": {}})

    def write(self, vdi: str, text: str, offset: int) -> None:
        content = base64.b64encode(text.encode()).decode()
        self.pool.act("disk", vdi=self.api("VDI.get_uuid", vdi), write=content, offset=offset)

    def digest(self, vdi: str) -> str:
        return str(self.pool.act("disk", vdi=self.api("VDI.get_uuid", vdi))["sha256"])

    def disks(self, vm: str) -> list[str]:
        drives = [self.api("VBD.get_record", vbd) for vbd in self.api("VM.get_VBDs", vm)]
        return [one["VDI"] for one in sorted(drives, key=lambda one: one["userdevice"]) if one["type"] == "Disk"]

    def digests(self, vm: str) -> list[str]:
        return [self.digest(vdi) for vdi in self.disks(vm)]

    def macs(self, vm: str) -> list[str]:
        return [self.api("VIF.get_MAC", vif) for vif in self.api("VM.get_VIFs", vm)]

    def boots(self, vm: str) -> int:
        return int(self.pool.act("guest", vm=self.api("VM.get_uuid", vm))["boots"])

    def receive(self) -> dict[str, str]:
        told: dict[str, str] = self.api("host.migrate_receive", self.host, self.network, {})
        return told

    def inventory(self) -> dict[str, Any]:
        """All that a move could have changed or left behind."""
        classes = ("VM", "VBD", "VIF", "VDI", "VM_metrics", "VM_guest_metrics", "console")
        return {cls: sorted(self.api(f"{cls}.get_all")) for cls in classes} | {"disks": self.pool.act("vdis")}


def arguments(here: Place, there: Place, vm: str, **options: str) -> tuple[Any, ...]:
    disks = dict.fromkeys(here.disks(vm), there.sr)
    networks = dict.fromkeys(here.api("VM.get_VIFs", vm), there.network)
    return vm, there.receive(), True, disks, networks, options


def send(here: Place, there: Place, vm: str, **options: str) -> str:
    return str(here.api("VM.migrate_send", *arguments(here, there, vm, **options)))


def refusal(here: Place, there: Place, vm: str, **options: str) -> list[str]:
    return here.api.refusal("VM.migrate_send", *arguments(here, there, vm, **options))


def wait(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
