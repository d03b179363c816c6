"""Helpers of the tests: drivers and hosts on a stand-in, and another client of it."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import hvsdk
from hvsdk.driver import Deadline, PasswordCredentials, Target, Task, TLSOptions
from hvsdk_simulators import Running
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

from hvsdk_vmware import OPTIONS
from hvsdk_vmware._driver import VmwareDriver

__all__ = ["Raw", "connect", "domain_calls", "eventually", "finished", "opened", "some", "soon", "target_of"]


def soon(seconds: float = 20.0) -> Deadline:
    """Time enough for one call."""
    return Deadline(seconds)


def connect(center: Running, **more: Any) -> hvsdk.Host:
    """Connect as the administrator, to the certificate that the stand-in shows."""
    wishes = {"password": center.password, "verify": center.fingerprint or True, "timeout": 20.0} | more
    return hvsdk.connect(center.url, **wishes)


def target_of(center: Running, **more: Any) -> Target:
    """Return what `connect` would give to a driver."""
    url = urlsplit(center.url)
    options = {name: option.default for name, option in OPTIONS.items()} | more.pop("options", {})
    credentials = PasswordCredentials(password=more.pop("password", center.password), username=center.username)
    wishes: dict[str, Any] = {
        "url": center.url,
        "scheme": url.scheme,
        "hostname": url.hostname,
        "port": url.port,
        "username": center.username,
        "options": options,
        "tls": TLSOptions(pins=(center.fingerprint,) if center.fingerprint else ()),
        "timeout": 20.0,
        "credentials": lambda: credentials,
    }
    return Target(**wishes | more)


@contextlib.contextmanager
def opened(center: Running, **more: Any) -> Iterator[VmwareDriver]:
    """Open a driver, and close it."""
    driver = VmwareDriver(target_of(center, **more))
    try:
        driver.open(deadline=soon())
        yield driver
    finally:
        driver.close()


def finished(task: Task[Any] | Any, seconds: float = 20.0) -> Any:
    """See a task through, as the core does."""
    deadline = soon(seconds)
    while True:
        done, _, result = task.poll()
        if done:
            return result
        assert not deadline.expired, "the task did not end"
        task.wait(0.1)


def eventually(happens: Callable[[], object], seconds: float = 20.0) -> bool:
    """Wait until something is so, and return whether it came to that."""
    deadline = soon(seconds)
    while not happens():
        if deadline.expired:
            return False
        time.sleep(0.05)
    return True


def some(host: hvsdk.Host) -> hvsdk.Domain:
    """Return a domain that is off."""
    return next(one for one in host.domains() if one.power_state == "shutoff")


def domain_calls(center: Running, work: Callable[[], Any]) -> dict[str, int]:
    """Return how often each method was called by some work; the API's only.

    Logouts are left out: connections of the test before may still be ending.
    """
    center.reset_counts()
    work()
    return {name: count for name, count in center.counts().items() if count and "/" not in name and name != "Logout"}


class Raw:
    """Another client, pyvmomi as it comes, with a session of its own."""

    def __init__(self, center: Running) -> None:
        url = urlsplit(center.url)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        more: dict[str, Any] = {"sslContext": context} if center.fingerprint else {"protocol": "http"}
        self.service = SmartConnect(host=url.hostname, port=url.port, user=center.username, pwd=center.password, **more)
        self.content = self.service.RetrieveContent()

    def close(self) -> None:
        Disconnect(self.service)
        self.service._stub.DropConnections()

    def vm(self, native_id: str) -> Any:
        return vim.VirtualMachine(native_id, self.service._stub)

    def all(self, kind: type) -> list[Any]:
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def done(self, task: Any) -> Any:
        """Wait for a task."""
        for _ in range(400):
            info = task.info
            if info.state == "success":
                return info.result
            if info.state == "error":
                raise info.error
            time.sleep(0.02)
        raise AssertionError("the task did not end")

    def reach(self, native_id: str, state: str) -> None:
        """Bring a domain to `running`, `shutoff` or `suspended`."""
        vm = self.vm(native_id)
        wanted = {"running": "poweredOn", "shutoff": "poweredOff", "suspended": "suspended"}[state]
        now = vm.runtime.powerState
        if now == wanted:
            return
        if wanted == "suspended" and now != "poweredOn":
            self.done(vm.PowerOn())
        verb = {"running": vm.PowerOn, "shutoff": vm.PowerOff, "suspended": vm.Suspend}[state]
        self.done(verb())

    def make_vm(self, name: str, *, vcpus: int = 1, memory_mib: int = 64, disks: int = 1, nics: int = 1) -> str:
        """Make a domain that is off, and return its id."""
        center = self.content.rootFolder.childEntity[0]
        compute = center.hostFolder.childEntity[0]
        store = compute.datastore[0]
        device = vim.vm.device
        changes = [
            device.VirtualDeviceSpec(
                operation="add", device=device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing")
            )
        ]
        for number in range(disks):
            backing = device.VirtualDisk.FlatVer2BackingInfo(
                fileName=f"[{store.name}]", diskMode="persistent", thinProvisioned=True
            )
            changes.append(
                device.VirtualDeviceSpec(
                    operation="add",
                    fileOperation="create",
                    device=device.VirtualDisk(
                        key=-1 - number, controllerKey=1000, unitNumber=number, capacityInKB=16 << 10, backing=backing
                    ),
                )
            )
        network = next(one for one in compute.network if type(one) is vim.Network)
        for number in range(nics):
            card = device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network.name, network=network)
            link = device.VirtualDevice.ConnectInfo(startConnected=True, connected=True, allowGuestControl=True)
            changes.append(
                device.VirtualDeviceSpec(
                    operation="add",
                    device=device.VirtualVmxnet3(
                        key=-100 - number, backing=card, addressType="generated", connectable=link
                    ),
                )
            )
        spec = vim.vm.ConfigSpec(
            name=name,
            numCPUs=vcpus,
            memoryMB=memory_mib,
            guestId="otherGuest64",
            deviceChange=changes,
            files=vim.vm.FileInfo(vmPathName=f"[{store.name}]"),
        )
        return str(self.done(center.vmFolder.CreateVM_Task(spec, compute.resourcePool))._moId)

    def rename(self, native_id: str, name: str) -> None:
        """Give a domain a name, which is written as vSphere wants it."""
        written = name.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
        self.done(self.vm(native_id).Rename_Task(written))

    def remove_vm(self, native_id: str) -> None:
        """Remove a domain with all it has; one that is gone already is fine."""
        with contextlib.suppress(vmodl.fault.ManagedObjectNotFound):
            if self.vm(native_id).runtime.connectionState != "connected":
                self.vm(native_id).UnregisterVM()  # its files cannot be removed
                return
            self.reach(native_id, "shutoff")
            self.done(self.vm(native_id).Destroy_Task())
