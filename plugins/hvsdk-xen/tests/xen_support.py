"""Helpers of the tests: another client of the pool, and domains that it makes."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import ssl
import time
import warnings
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import hvsdk
import pytest
from hvsdk.driver import Deadline, PasswordCredentials, Target, Task, TLSOptions
from hvsdk_simulators import Running

from hvsdk_xen import OPTIONS
from hvsdk_xen._driver import XenDriver
from hvsdk_xen._fence import READING, TO_REST, operations_to_block

NULL = "OpaqueRef:NULL"
MIB = 1 << 20
QOS = {"qos_algorithm_type": "", "qos_algorithm_params": {}}


class Refused(Exception):
    """What the pool refused: its code and the code's parameters."""

    def __init__(self, details: list[str]) -> None:
        super().__init__(": ".join((details[0], ", ".join(details[1:]))))
        self.details = details

    @property
    def code(self) -> str:
        return self.details[0]


class Raw:
    """Another client, with a session of its own: `raw("VM.get_by_uuid", uuid)`. It shares no code with the driver."""

    def __init__(self, pool: Running) -> None:
        self._secure = urlsplit(pool.url).scheme == "xenapi"
        self._session: str | None = None
        self._old = False
        for member in pool.members:
            self._connection = self._connect(int(member["port"]))
            try:
                self._session = self._send("session.login_with_password", pool.username, pool.password, "1.0", "other")
            except (Refused, OSError):
                self._connection.close()
                continue
            break
        assert self._session is not None, "no member of the pool lets the other client in"

    def __call__(self, method: str, *arguments: Any) -> Any:
        return self._send(method, self._session, *arguments)

    def refused(self, method: str, *arguments: Any) -> str | None:
        """Make a call, and return the code with which it is refused; `None` when it is not."""
        try:
            self(method, *arguments)
        except Refused as exc:
            return exc.code
        return None

    def _send(self, method: str, *arguments: Any) -> Any:
        try:
            return self._send_xml(method, arguments) if self._old else self._send_json(method, arguments)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def _send_json(self, method: str, arguments: tuple[Any, ...]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": arguments})
        self._connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
        text = self._connection.getresponse().read()
        if text.startswith(b"<"):  # a version that speaks XML-RPC only
            self._old = True
            self._connection.close()
            return self._send_xml(method, arguments)
        answer = json.loads(text)
        if answer.get("error"):
            raise Refused([answer["error"]["message"], *map(str, answer["error"]["data"])])
        return answer["result"]

    def _send_xml(self, method: str, arguments: tuple[Any, ...]) -> Any:
        plain = json.loads(json.dumps(arguments), parse_int=str)
        self._connection.request("POST", "/", xmlrpc.client.dumps(tuple(plain), method), {"Content-Type": "text/xml"})
        answer: Any = xmlrpc.client.loads(self._connection.getresponse().read())[0][0]
        if answer["Status"] != "Success":
            raise Refused(answer["ErrorDescription"])
        return answer["Value"]

    def _connect(self, port: int) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)

    @property
    def operations(self) -> frozenset[str]:
        """The values of `vm_operations` that the pool's version knows."""
        (master,) = {record["master"] for record in self("pool.get_all_records").values()}
        host = self("host.get_record", master)
        api = int(host["API_version_major"]), int(host["API_version_minor"])
        return READING | TO_REST | operations_to_block(api, at_rest=True)

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(Refused, OSError, http.client.HTTPException):
                self._send("session.logout", session)
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- domains -----------------------------------------------------------------------------------------

    def make_vm(self, name: str, *, disks: int = 1, nics: int = 1, disk_bytes: int = 16 * MIB) -> str:
        """Make a VM that is off, of the template that fits everything, and return its UUID."""
        template = next(
            ref
            for ref, vm in self("VM.get_all_records").items()
            if vm["is_a_template"] and not vm["is_a_snapshot"] and vm["name_label"] == "Other install media"
        )
        vm = self("VM.clone", template, name)
        self("VM.provision", vm)
        self("VM.set_memory_limits", vm, *4 * (128 * MIB,))
        self("VM.set_name_description", vm, "")
        for number in range(disks):
            self.add_disk(vm, number, disk_bytes)
        for number in range(nics):
            self.add_nic(vm, number)
        return str(self("VM.get_uuid", vm))

    def add_disk(self, vm: str, number: int, size: int = 16 * MIB) -> str:
        """Give a VM a new disk in the default SR, and return the drive's reference."""
        (pool,) = self("pool.get_all_records").values()
        name = f"{self('VM.get_name_label', vm)} {number}"
        vdi = {"name_label": name, "name_description": "", "SR": pool["default_SR"], "virtual_size": size}
        vdi |= {"type": "user", "sharable": False, "read_only": False, "other_config": {}}
        return self.attach(vm, self("VDI.create", vdi), number)

    def attach(self, vm: str, vdi: str, number: int) -> str:
        """Give a VM a disk that is there, and return the drive's reference."""
        vbd = {"VM": vm, "VDI": vdi, "userdevice": str(number), "bootable": number == 0}
        vbd |= {"mode": "RW", "type": "Disk", "unpluggable": True, "empty": False, "other_config": {}} | QOS
        return str(self("VBD.create", vbd))

    def add_nic(self, vm: str, number: int) -> str:
        """Give a VM a network adapter, and return its reference."""
        networks = self("network.get_all_records")
        network = next(ref for ref, record in networks.items() if record["PIFs"])
        vif = {"VM": vm, "network": network, "device": str(number), "MAC": "", "MTU": 1500, "other_config": {}} | QOS
        return str(self("VIF.create", vif))

    def remove_vm(self, uuid: str) -> None:
        """Remove a VM with its snapshots and disks, whatever state it is in; one that is gone already is left alone."""
        try:
            ref = self("VM.get_by_uuid", uuid)
        except Refused:
            return
        for snapshot in self("VM.get_snapshots", ref):
            self._remove(snapshot)
        self._remove(ref)

    def _remove(self, ref: str) -> None:
        eventually(lambda: not self("VM.get_current_operations", ref), 10)
        self("VM.set_blocked_operations", ref, {})
        vm = self("VM.get_record", ref)
        if vm["power_state"] not in ("Halted", "Suspended") or (
            vm["power_state"] == "Suspended" and not vm["is_a_snapshot"]
        ):
            self("VM.hard_shutdown", ref)
        drives = [self("VBD.get_record", vbd) for vbd in vm["VBDs"]]
        disks = [drive["VDI"] for drive in drives if drive["type"] == "Disk"]
        disks += [vm["suspend_VDI"]] if vm["is_a_snapshot"] else []
        for vdi in disks:
            if vdi != NULL:
                self("VDI.destroy", vdi)
        self("VM.destroy", ref)

    def some_member(self) -> str:
        """Return the UUID of a host with running VMs which is not the master."""
        (master,) = {record["master"] for record in self("pool.get_all_records").values()}
        guests = {vm["resident_on"] for vm in self("VM.get_all_records").values() if not vm["is_control_domain"]}
        hosts = self("host.get_all_records")
        return str(next(host["uuid"] for ref, host in hosts.items() if ref != master and ref in guests))

    def lose_host_of(self, uuid: str, pool: Running) -> str:
        """Start a VM on a host that is not the master, take the power from that host, and return its UUID."""
        (master,) = {record["master"] for record in self("pool.get_all_records").values()}
        ref = next(host for host in self("host.get_all") if host != master)
        self("VM.start_on", self("VM.get_by_uuid", uuid), ref, False, False)
        host = str(self("host.get_uuid", ref))
        pool.act("kill-host", host=host)
        assert eventually(lambda: not self.is_heard(host))
        return host

    def is_heard(self, host: str) -> bool:
        """Return whether the pool hears a host."""
        metrics = self("host.get_metrics", self("host.get_by_uuid", host))
        return self("host_metrics.get_live", metrics) is True

    def reach(self, uuid: str, state: str) -> None:
        """Bring a VM to a state: `shutoff`, `running`, `paused` or `suspended`."""
        ref = self("VM.get_by_uuid", uuid)
        now = {"Halted": "shutoff"}.get(told := self("VM.get_power_state", ref), told.lower())
        if now == state:
            return
        if state == "shutoff":
            self("VM.hard_shutdown", ref)
            return
        if now != "running":
            method = {"shutoff": "VM.start", "suspended": "VM.resume", "paused": "VM.unpause"}[now]
            self(method, ref, *(() if now == "paused" else (False, False)))
        if state == "paused":
            self("VM.pause", ref)
            return
        eventually(lambda: self.refused("VM.assert_operation_valid", ref, "suspend") is None, 2.0)  # its tools run
        if state == "suspended":
            self("VM.suspend", ref)


def connect(pool: Running, **more: Any) -> hvsdk.Host:
    """Connect to a pool as its start line says, with the pin that it names."""
    more.setdefault("password", pool.password)
    if pool.fingerprint:
        more.setdefault("verify", pool.fingerprint)
    with warnings.catch_warnings():
        if more.get("verify") is False:
            warnings.simplefilter("ignore")
        return hvsdk.connect(pool.url, **more)


def sessions(pool: Running) -> set[str]:
    """Return the references of the live sessions. Those of earlier tests may end at any time."""
    return {session["ref"] for session in pool.sessions()}


def target_of(pool: Running, *, pins: tuple[str, ...] | None = None, timeout: float = 30.0, **options: Any) -> Target:
    """Return the target that `connect` would make."""
    parts = urlsplit(pool.url)
    given = {name: option.default for name, option in OPTIONS.items()} | dict(parse_qsl(parts.query)) | options
    if pins is None:
        pins = (pool.fingerprint,) if pool.fingerprint else ()
    credentials = PasswordCredentials(username=pool.username, password=pool.password)
    return Target(
        url=f"{parts.scheme}://{parts.netloc}",
        scheme=parts.scheme,
        hostname=parts.hostname,
        port=parts.port,
        username=parts.username,
        options=given,
        tls=TLSOptions(pins=pins),
        timeout=timeout,
        backend="xen",
        credentials=lambda: credentials,
    )


@contextlib.contextmanager
def opened(pool: Running, **more: Any) -> Iterator[XenDriver]:
    """Open a driver, and close it."""
    driver = XenDriver(target_of(pool, **more))
    try:
        driver.open(deadline=soon())
        yield driver
    finally:
        driver.close()


def soon() -> Deadline:
    """Return the deadline of one call in a test."""
    return Deadline(30.0)


def finish(task: Task[Any] | Any, seconds: float = 60.0) -> Any:
    """Return a verb's result, waiting for its task as the core does."""
    if not isinstance(task, Task):
        return task
    deadline = Deadline(seconds)
    while not deadline.expired:
        done, _, result = task.poll()
        if done:
            return result
        if task.can_wait:
            task.wait(0.2)
        else:
            time.sleep(0.02)
    raise AssertionError(f"not done within {seconds} s")


def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> bool:
    """Return whether the condition became true in time."""
    deadline = Deadline(seconds)
    while not condition():
        if deadline.expired:
            return False
        time.sleep(0.02)
    return True


def load_reference(name: str) -> Any:
    """Read facts about the real product; skip the test, saying so, where they are not at hand."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "reference"
    path = Path(os.environ.get("HVSDK_REFERENCE") or beside) / name
    if not path.exists():
        pytest.skip(
            f"the reference data of the real product are not here ({name}); HVSDK_REFERENCE names their directory"
        )
    with gzip.open(path) as file:
        return json.load(file)
