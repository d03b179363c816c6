"""What the simulator of vSphere answers beside its library, read with pyvmomi's own model of the types."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, eventually, fetch, running

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module", params=["vcenter", "esxi"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    options: dict[str, Any] = {"esx": True} if request.param == "esxi" else {"hosts": 2}
    with running(domains=40, **options) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def test_a_console_ticket_names_the_server_and_its_certificate(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    web = vm.AcquireTicket("webmks")
    assert web.url == f"wss://{web.host}:{web.port}/ticket/{web.ticket}"
    assert web.certThumbprintList[1].thumbprint.replace(":", "").lower() == server.fingerprint.removeprefix("sha256:")
    assert vm.AcquireTicket("mks").url is None
    assert vm.AcquireMksTicket().cfgFile == vm.config.files.vmPathName
    with pytest.raises(vmodl.fault.InvalidArgument):
        vm.AcquireTicket("vnc")
    with pytest.raises(vim.fault.InvalidPowerState):
        client.vms("poweredOff")[0].AcquireTicket("webmks")


def test_a_screenshot_is_a_picture_on_the_datastore(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    datastore, path = done(vm.CreateScreenshot_Task()).split("] ")
    root = f"https://127.0.0.1:{server.members[0]['port']}"
    where = f"{root}/folder/{path}?dsName={datastore.removeprefix('[')}"
    where += "&dcPath=ha-datacenter" if client.content.about.apiType == "HostAgent" else "&dcPath=DC0"
    cookie = client.stub.cookie.split(";")[0]
    assert fetch(server, where, Cookie=cookie).startswith(PNG)
    screen = f"{root}/screen?id={vm._moId}"
    secret = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    assert fetch(server, screen, Authorization=f"Basic {secret}").startswith(PNG)
    for url in (where, screen):
        with pytest.raises(HTTPError, match="401") as refused:
            fetch(server, url)
        refused.value.close()


def test_a_question_holds_a_start_back_until_it_is_answered(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    server.act("question", vm=vm.config.instanceUuid, text="Moved or copied?")
    task = vm.PowerOnVM_Task()
    question = eventually(lambda: vm.runtime.question)
    assert question.text == "Moved or copied?"
    assert [one.key for one in question.choice.choiceInfo][-1] == "button.abort"
    assert (task.info.state, vm.runtime.powerState) == ("running", "poweredOff")
    with pytest.raises(vim.fault.QuestionPending):
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="x"))
    with pytest.raises(vmodl.fault.InvalidArgument):
        vm.AnswerVM(question.id, "button.nonsense")
    vm.AnswerVM(question.id, "button.uuid.copiedTheVM")
    done(task)
    assert (vm.runtime.question, vm.runtime.powerState) == (None, "poweredOn")
    done(vm.PowerOffVM_Task())


def test_the_answer_to_a_question_can_end_the_start(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    server.act("question", vm=vm.config.instanceUuid)
    task = vm.PowerOnVM_Task()
    vm.AnswerVM(eventually(lambda: vm.runtime.question).id, "button.abort")
    with pytest.raises(vim.fault.InvalidState):
        done(task)
    assert vm.runtime.powerState == "poweredOff"


def test_a_guest_with_tools_goes_down_when_it_is_asked(client: Client) -> None:
    vm = client.vms("poweredOn", tools=True)[0]
    vm.ShutdownGuest()
    eventually(lambda: vm.runtime.powerState == "poweredOff")
    assert vm.guest.toolsRunningStatus == "guestToolsNotRunning"
    done(vm.PowerOnVM_Task())
    assert vm.guest.toolsRunningStatus == "guestToolsRunning"


@pytest.mark.parametrize("verb", ["ShutdownGuest", "RebootGuest", "StandbyGuest"])
def test_a_guest_without_tools_cannot_be_asked(server: Running, client: Client, verb: str) -> None:
    vm = client.vms("poweredOn")[-1]
    server.act("guest", vm=vm.config.instanceUuid, tools=False)
    with pytest.raises(vim.fault.ToolsUnavailable):
        getattr(vm, verb)()


def test_a_guest_may_ignore_what_it_is_asked(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn", tools=True)[0]
    before = server.act("guest", vm=vm.config.instanceUuid, obeys_shutdown=False)
    vm.ShutdownGuest()
    after = server.act("guest", vm=vm.config.instanceUuid, obeys_shutdown=True)
    assert after["requests"] == before["requests"] + 1
    assert vm.runtime.powerState == "poweredOn"


def test_a_guest_may_miss_what_it_is_asked_first(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn", tools=True)[0]
    server.act("guest", vm=vm.config.instanceUuid, missed_requests=1)
    vm.ShutdownGuest()
    assert server.act("guest", vm=vm.config.instanceUuid)["missed_requests"] == 0
    assert vm.runtime.powerState == "poweredOn"
    vm.ShutdownGuest()
    eventually(lambda: vm.runtime.powerState == "poweredOff")
    done(vm.PowerOnVM_Task())


def test_a_snapshot_can_be_renamed(client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    done(vm.CreateSnapshot_Task("outer", "", False, False))
    done(vm.CreateSnapshot_Task("inner", "", False, False))
    inner = vm.snapshot.rootSnapshotList[0].childSnapshotList[0]
    inner.snapshot.RenameSnapshot("renamed", "with a reason")
    tree = vm.snapshot.rootSnapshotList[0]
    assert (tree.name, tree.childSnapshotList[0].name) == ("outer", "renamed")
    assert tree.childSnapshotList[0].description == "with a reason"
    done(vm.RemoveAllSnapshots_Task())


def test_an_answer_in_pages_can_be_given_up(client: Client) -> None:
    collector = client.content.propertyCollector
    spec = vmodl.query.PropertyCollector.FilterSpec(
        objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=one) for one in client.vms()],
        propSet=[vmodl.query.PropertyCollector.PropertySpec(type=vim.VirtualMachine, pathSet=["name"])],
    )
    first = collector.RetrievePropertiesEx([spec], vmodl.query.PropertyCollector.RetrieveOptions(maxObjects=3))
    assert len(first.objects) == 3
    collector.CancelRetrievePropertiesEx(first.token)
    for ask in (collector.ContinueRetrievePropertiesEx, collector.CancelRetrievePropertiesEx):
        with pytest.raises(vmodl.query.InvalidProperty):
            ask(first.token)


def test_one_property_without_a_value_is_none(client: Client) -> None:
    assert client.vms("poweredOff")[-1].snapshot is None


def test_a_reconfiguration_of_an_older_version_is_refused(client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    version = vm.config.changeVersion
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="one", changeVersion=version)))
    with pytest.raises(vim.fault.ConcurrentAccess):
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="two", changeVersion=version))
    with pytest.raises(vmodl.fault.InvalidArgument):
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(memoryMB=-4))


def test_a_running_machine_gets_no_processors_without_hot_add(client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    with pytest.raises(vim.fault.CpuHotPlugNotSupported):
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=vm.config.hardware.numCPU + 1))
    with pytest.raises(vim.fault.MemoryHotPlugNotSupported):
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(memoryMB=vm.config.hardware.memoryMB * 2))


@pytest.mark.parametrize("path", ["[nowhere]", "nowhere"])
def test_a_datastore_that_is_not_there_ends_nothing(client: Client, path: str) -> None:
    vm = client.vms()[0]
    spec = vim.vm.ConfigSpec(name="new", files=vim.vm.FileInfo(vmPathName=path))
    with pytest.raises(vim.fault.InvalidDatastorePath):
        vm.parent.CreateVM_Task(spec, vm.resourcePool)
    assert client.vms()


def test_who_waits_for_one_field_of_a_guest_hears_of_it(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    server.act("guest", vm=vm.config.instanceUuid, tools=True, addresses=["10.9.8.7"])
    query = vmodl.query.PropertyCollector
    collector = client.content.propertyCollector.CreatePropertyCollector()
    wanted = query.PropertySpec(type=vim.VirtualMachine, pathSet=["guest.ipAddress", "runtime.powerState"])
    collector.CreateFilter(query.FilterSpec(objectSet=[query.ObjectSpec(obj=vm)], propSet=[wanted]), True)
    seen: dict[str, Any] = {}
    version = ""

    def heard() -> bool:
        nonlocal version
        update = collector.WaitForUpdatesEx(version, query.WaitOptions(maxWaitSeconds=1))
        if update is not None:
            version = update.version
            seen.update((one.name, one.val) for told in update.filterSet[0].objectSet for one in told.changeSet)
        return seen.get("guest.ipAddress") == "10.9.8.7" and seen["runtime.powerState"] == "poweredOn"

    assert not heard()
    done(vm.PowerOnVM_Task())
    eventually(heard)
    collector.DestroyPropertyCollector()
    done(vm.PowerOffVM_Task())


def test_a_machine_that_is_orphaned_does_not_hold_up_searches(server: Running, client: Client) -> None:
    lost, other = client.vms("poweredOff")[:2]
    uuid, uuid_of_lost = other.config.instanceUuid, lost.config.instanceUuid
    server.act("inaccessible", vm=uuid_of_lost, state="orphaned")
    index = client.content.searchIndex
    assert index.FindAllByUuid(None, uuid, True, True) == [other]
    assert index.FindByUuid(None, other.config.uuid.upper(), True, False) == other
    assert index.FindAllByUuid(None, uuid_of_lost, True, True) == []
    lost.UnregisterVM()


def test_a_call_that_the_simulator_falls_over_is_answered_and_so_are_those_after_it() -> None:
    with running(domains=2) as server, connected(server) as client:
        vm, before = client.vms("poweredOff")[0], len(client.all(vim.VirtualMachine))
        server.act("inaccessible", vm=vm.config.instanceUuid, state="orphaned")
        for _ in range(2):
            with pytest.raises(vmodl.fault.SystemError, match="itself failed at FindAllByDnsName"):
                client.content.searchIndex.FindAllByDnsName(None, "guest", True)
        assert len(client.all(vim.VirtualMachine)) == before
