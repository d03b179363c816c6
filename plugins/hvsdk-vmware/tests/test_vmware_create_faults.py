"""What is left when the making of a domain stops half-way: nothing new, and all that was there before."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import CloudInit, DiskSpec, DomainSpec, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_disks import called
from vmware_files import files_below
from vmware_support import Raw, connect

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._undo_create import NewDomain

_numbers = itertools.count(1)
CLOUD = CloudInit(user_data="#cloud-config\n")


@pytest.fixture
def either_raw(either: Running) -> Iterator[Raw]:
    """Another client of the vCenter, then of the ESXi host."""
    client = Raw(either)
    yield client
    client.close()


@pytest.fixture
def on(either: Running) -> Iterator[hvsdk.Host]:
    """A host on the vCenter, then on the ESXi host."""
    with connect(either) as host:
        yield host


def _everything(raw: Raw) -> tuple[set[str], set[str]]:
    return {str(vm._moId) for vm in raw.all(vim.VirtualMachine)}, files_below(raw)


@contextmanager
def _nothing_new(raw: Raw) -> Iterator[None]:
    before = _everything(raw)
    yield
    assert _everything(raw) == before


def _spec(**fields: Any) -> DomainSpec:
    return DomainSpec(
        **{"name": f"half-{next(_numbers)}", "memory": "64MiB", "disks": [DiskSpec(size="16MiB")]} | fields
    )


@pytest.mark.parametrize(
    ("fault", "fields", "error"),
    [
        ("CreateVM_Task:task-error=NoDiskSpace,full:1", {}, errors.InsufficientResourcesError),
        ("CreateVM_Task:error=NoPermission,no:1", {}, errors.PermissionDeniedError),
        ("ReconfigVM_Task:task-error=NoDiskSpace,full:1", {"cloud_init": CLOUD}, errors.InsufficientResourcesError),
        ("/folder:http-500:1", {"cloud_init": CLOUD}, errors.OperationFailedError),
        ("/folder:drop-before:1", {"cloud_init": CLOUD}, errors.HvsdkError),
    ],
)
def test_a_step_that_fails_leaves_nothing(
    on: hvsdk.Host, either: Running, either_raw: Raw, fault: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    with _nothing_new(either_raw):
        either.fault(fault)
        with pytest.raises(error):
            on.create_domain(_spec(**fields))


def test_a_lost_answer_leaves_nothing(on: hvsdk.Host, either: Running, either_raw: Raw) -> None:
    with _nothing_new(either_raw):
        either.fault("CreateVM_Task:drop-after:1")
        with pytest.raises(errors.OperationFailedError, match="removed again"):
            on.create_domain(_spec())


def test_a_request_that_is_lost_is_of_unknown_outcome(on: hvsdk.Host, either: Running, either_raw: Raw) -> None:
    with _nothing_new(either_raw):
        either.fault("CreateVM_Task:drop-before:1")
        with pytest.raises(errors.OutcomeUnknownError):
            on.create_domain(_spec(), timeout=30)


def test_given_up_it_is_taken_back(on: hvsdk.Host, either: Running, either_raw: Raw) -> None:
    stop = threading.Event()
    with _nothing_new(either_raw):
        either.fault("CreateVM_Task:task-slow=1:1")
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(errors.CancelledError):
            on.create_domain(_spec(), cancel=stop)


def test_a_volume_that_was_there_stays_when_the_rest_is_taken_back(
    on: hvsdk.Host, either: Running, either_raw: Raw
) -> None:
    first = on.create_domain(_spec())
    source = first.disks[0].source
    first.delete(disks="keep")
    with _nothing_new(either_raw):
        either.fault("ReconfigVM_Task:task-error=NoDiskSpace,full:1")
        with pytest.raises(errors.InsufficientResourcesError):
            on.create_domain(_spec(disks=[DiskSpec(source=source), DiskSpec(size="16MiB")], cloud_init=CLOUD))
    again = on.create_domain(_spec(disks=[DiskSpec(source=source)]))
    assert again.disks[0].source == source
    again.delete(disks="delete")


def test_a_copy_that_fails_leaves_nothing(on: hvsdk.Host, either: Running, either_raw: Raw) -> None:
    first = on.create_domain(_spec())
    with _nothing_new(either_raw):
        either.fault("CopyVirtualDisk_Task:task-error=NoDiskSpace,full:1")
        with pytest.raises(errors.InsufficientResourcesError):
            on.create_domain(_spec(disks=[DiskSpec(source=first.disks[0].source, copy=True)]))
    first.delete(disks="delete")


def test_what_somebody_else_made_with_the_same_uuid_meanwhile_stays(
    center: Running, raw: Raw, host: hvsdk.Host
) -> None:
    spec = _spec(uuid=str(uuid.uuid4()))
    other = raw.make_vm("not-yet-there")
    center.reset_counts()
    center.fault("CreateVM_Task:slow=4:1")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(host.create_domain, spec)
        called(center, "CreateVM_Task")
        _takes_its_place(raw, other, spec)
        with pytest.raises(errors.AlreadyExistsError):
            slow.result()
    assert raw.vm(other).config.instanceUuid == spec.uuid
    raw.remove_vm(other)


def test_a_lost_answer_does_not_take_back_what_somebody_else_made(driver: VmwareDriver, raw: Raw) -> None:
    spec = _spec(uuid=str(uuid.uuid4()))
    other = _made_by_others(raw, spec)
    new = NewDomain(spec.uuid or "", token="not theirs", asked=True)
    with pytest.raises(errors.OperationFailedError, match="not known"):
        driver.remove_made(new, ConnectionResetError())
    assert raw.vm(other).config.instanceUuid == spec.uuid
    raw.remove_vm(other)


def test_a_lost_answer_about_a_chosen_uuid_leaves_nothing(on: hvsdk.Host, either: Running, either_raw: Raw) -> None:
    with _nothing_new(either_raw):
        either.fault("CreateVM_Task:drop-after:1")
        with pytest.raises(errors.OperationFailedError, match="removed again"):
            on.create_domain(_spec(uuid=str(uuid.uuid4())))


def test_a_volume_stays_though_the_server_tells_another_path_of_it(driver: VmwareDriver, host: hvsdk.Host) -> None:
    first = host.create_domain(_spec())
    source = first.disks[0].source
    new = NewDomain(
        first.uuid or "",
        spots={("vim.vm.device.ParaVirtualSCSIController", 0, 0)},
        native_id=first.native_id,
        asked=True,
    )
    driver.remove_made(new, ConnectionResetError())
    again = host.create_domain(_spec(disks=[DiskSpec(source=source)]))
    again.delete(disks="delete")


def _made_by_others(raw: Raw, spec: DomainSpec) -> str:
    """Make a domain with the name and the UUID of another one, as other clients do."""
    made = raw.make_vm(f"{spec.name}-of-others")
    _takes_its_place(raw, made, spec)
    return made


def _takes_its_place(raw: Raw, native_id: str, spec: DomainSpec) -> None:
    raw.rename(native_id, spec.name)
    raw.done(raw.vm(native_id).ReconfigVM_Task(vim.vm.ConfigSpec(instanceUuid=spec.uuid)))
