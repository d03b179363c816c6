"""Disks that lie on others in the simulator of vSphere: of snapshots, and of linked clones."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim
from vcsim_client import Client, connected, done, eventually, fetch, grains, running

GRAIN = 64 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=20, hosts=1) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


@pytest.fixture
def vm(client: Client) -> Iterator[Any]:
    one = next(one for one in client.vms("poweredOff") if one.snapshot is None)
    yield one
    done(one.RemoveAllSnapshots_Task())


def backing_of(holder: Any) -> Any:
    """Return what the disk of a virtual machine or of a snapshot of it lies on."""
    return next(one.backing for one in holder.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))


def chain(holder: Any) -> list[str]:
    """Return the ends of the names of a disk and all that it lies on."""
    at, found = backing_of(holder), []
    while at is not None:
        found.append(at.fileName.removesuffix(".vmdk")[-7:] if at.parent is not None else "base")
        at = at.parent
    return found


def write(server: Running, vm: Any, text: str, place: int = 3 * GRAIN) -> dict[str, str]:
    """Write as the guest does, and return what is on the disk then."""
    content = base64.b64encode(text.encode().ljust(GRAIN, b".")).decode()
    told: dict[str, str] = server.act("disk", vm=vm._moId, write=content, offset=place)["grains"]
    return told


def on_disk(server: Running, vm: Any) -> dict[str, str]:
    told: dict[str, str] = server.act("disk", vm=vm._moId)["grains"]
    return told


def file_content(server: Running, client: Client, path: str, size: int) -> bytes:
    store, inside = path.removeprefix("[").split("] ")
    url = f"https://127.0.0.1:{server.members[0]['port']}/folder/{quote(inside.replace('.vmdk', '-flat.vmdk'))}"
    cookie = client.stub.cookie.split(";")[0]
    wish = f"bytes={3 * GRAIN}-{3 * GRAIN + size - 1}"
    return fetch(server, f"{url}?dcPath=DC0&dsName={store}", Cookie=cookie, Range=wish)


def exported(server: Running, holder: Any) -> dict[str, str]:
    lease = holder.ExportVm() if isinstance(holder, vim.VirtualMachine) else holder.ExportSnapshot()
    eventually(lambda: lease.state == "ready")
    stream = fetch(server, lease.info.deviceUrl[0].url.replace("*", "127.0.0.1"))
    lease.HttpNfcLeaseComplete()
    return {str(place): hashlib.sha256(data).hexdigest() for place, data in grains(stream).items()}


def files(client: Client, vm: Any) -> list[str]:
    folder = str(PurePosixPath(backing_of(vm).fileName).parent)
    store = next(one for one in client.all(vim.Datastore) if f"[{one.name}]" in folder)
    spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*.vmdk"])
    return sorted(one.path for one in done(store.browser.SearchDatastore_Task(folder, spec)).file)


def test_a_snapshot_keeps_the_disk_and_the_machine_goes_on_with_another(
    server: Running, client: Client, vm: Any
) -> None:
    first = write(server, vm, "first")
    before = files(client, vm)
    one = done(vm.CreateSnapshot_Task("one", "", False, False))
    second = write(server, vm, "second")
    two = done(vm.CreateSnapshot_Task("two", "", False, False))
    third = write(server, vm, "third")
    assert [chain(held) for held in (one, two, vm)] == [["base"], ["-000001", "base"], ["-000002", "-000001", "base"]]
    assert [exported(server, held) for held in (one, two, vm)] == [first, second, third]
    for held, text in ((one, b"first"), (two, b"second"), (vm, b"third")):
        assert file_content(server, client, backing_of(held).fileName, len(text)) == text
    done(one.RemoveSnapshot_Task(False))
    assert [chain(held) for held in (two, vm)] == [["base"], ["-000002", "base"]]
    assert [exported(server, held) for held in (two, vm)] == [second, third]
    assert file_content(server, client, backing_of(two).fileName, 6) == b"second"
    done(vm.RemoveAllSnapshots_Task())
    assert chain(vm) == ["base"]
    assert on_disk(server, vm) == third
    assert files(client, vm) == before


def test_a_revert_begins_another_branch(server: Running, client: Client, vm: Any) -> None:
    before = files(client, vm)
    first = write(server, vm, "first")
    one = done(vm.CreateSnapshot_Task("one", "", False, False))
    second = write(server, vm, "second")
    two = done(vm.CreateSnapshot_Task("two", "", False, False))
    write(server, vm, "lost")
    done(one.RevertToSnapshot_Task())
    assert on_disk(server, vm) == first
    assert [chain(held)[1:] for held in (two, vm)] == [["base"], ["base"]]
    third = write(server, vm, "third")
    assert [exported(server, held) for held in (one, two, vm)] == [first, second, third]
    done(one.RemoveSnapshot_Task(False))
    assert [exported(server, held) for held in (two, vm)] == [second, third]
    assert "base" in chain(two)
    done(two.RemoveSnapshot_Task(False))
    assert (chain(vm), on_disk(server, vm), files(client, vm)) == (["base"], third, before)


def test_disks_are_merged_later_if_they_shall_stay(server: Running, client: Client, vm: Any) -> None:
    before = files(client, vm)
    one = done(vm.CreateSnapshot_Task("one", "", False, False))
    now = write(server, vm, "now")
    done(one.RemoveSnapshot_Task(False, False))
    assert (len(chain(vm)), vm.runtime.consolidationNeeded) == (2, True)
    done(vm.ConsolidateVMDisks_Task())
    assert (chain(vm), vm.runtime.consolidationNeeded) == (["base"], False)
    assert (on_disk(server, vm), files(client, vm)) == (now, before)


def test_all_of_a_chain_moves_with_its_machine(server: Running, client: Client, vm: Any) -> None:
    first = write(server, vm, "first")
    one = done(vm.CreateSnapshot_Task("one", "", False, False))
    second = write(server, vm, "second")
    target = next(store for store in client.all(vim.Datastore) if store not in vm.datastore)
    done(vm.RelocateVM_Task(vim.vm.RelocateSpec(datastore=target)))
    at = backing_of(vm)
    assert [at.datastore, at.parent.datastore, backing_of(one).datastore] == [target] * 3
    assert at.parent.fileName == backing_of(one).fileName
    assert [exported(server, held) for held in (one, vm)] == [first, second]
    done(one.RevertToSnapshot_Task())
    assert on_disk(server, vm) == first


def test_a_linked_clone_lies_on_the_disk_of_the_snapshot(server: Running, client: Client, vm: Any) -> None:
    first = write(server, vm, "first")
    one = done(vm.CreateSnapshot_Task("one", "", False, False))
    write(server, vm, "second")
    where = vim.vm.RelocateSpec(diskMoveType="createNewChildDiskBacking")
    clone = done(
        vm.CloneVM_Task(
            vm.parent, "linked", vim.vm.CloneSpec(location=where, snapshot=one, powerOn=False, template=False)
        )
    )
    assert backing_of(clone).parent.fileName == backing_of(one).fileName
    assert on_disk(server, clone) == first
    done(clone.CreateSnapshot_Task("its own", "", False, False))
    done(clone.RemoveAllSnapshots_Task())
    assert backing_of(clone).parent.fileName == backing_of(one).fileName
    done(clone.Destroy_Task())
    assert exported(server, one) == first
