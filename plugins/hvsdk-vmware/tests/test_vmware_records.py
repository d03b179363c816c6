"""What is read of an answer that a server may write in many ways, or badly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hvsdk.driver import CpuTopology, DomainInfo

from hvsdk_vmware._devices import NetworkName
from hvsdk_vmware._fields import Found, Sharing, as_flag, as_moment, as_number
from hvsdk_vmware._login import version_for
from hvsdk_vmware._records import Around, domain_paths, records
from hvsdk_vmware._states import power_state
from hvsdk_vmware._stub import may_repeat

EVERYTHING = frozenset({"config", "guest"})
NOW = datetime(2026, 1, 2, tzinfo=UTC)
XSI = 'xmlns="urn:vim25" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
DISK = """<VirtualDevice xsi:type="VirtualDisk"><key>2000</key><deviceInfo><label>Hard disk 1</label></deviceInfo>
  <backing xsi:type="VirtualDiskFlatVer2BackingInfo"><fileName>[ds] web/web.vmdk</fileName>
  <datastore type="Datastore">datastore-1</datastore><diskMode>persistent</diskMode><thinProvisioned>true</thinProvisioned>
  <sharing>sharingMultiWriter</sharing></backing><controllerKey>1000</controllerKey><unitNumber>1</unitNumber>
  <capacityInKB>1024</capacityInKB><capacityInBytes>1048577</capacityInBytes></VirtualDevice>"""
FIRST = DISK.replace("2000", "2001").replace("<unitNumber>1<", "<unitNumber>0<").replace("web.vmdk", "boot.vmdk")
SCSI = """<VirtualDevice xsi:type="ParaVirtualSCSIController"><key>1000</key><busNumber>0</busNumber></VirtualDevice>"""
IDE = """<VirtualDevice xsi:type="VirtualIDEController"><key>200</key><busNumber>0</busNumber></VirtualDevice>"""
CDROM = """<VirtualDevice xsi:type="VirtualCdrom"><key>3000</key><controllerKey>200</controllerKey>
  <backing xsi:type="VirtualCdromIsoBackingInfo"><fileName>[ds] a.iso</fileName></backing></VirtualDevice>"""
NIC = """<VirtualDevice xsi:type="VirtualVmxnet3"><key>4000</key><macAddress>00:50:56:AB:CD:EF</macAddress>
  <connectable><startConnected>true</startConnected><connected>false</connected></connectable>
  <backing xsi:type="VirtualEthernetCardDistributedVirtualPortBackingInfo"><port><portgroupKey>dvportgroup-7</portgroupKey>
  </port></backing></VirtualDevice>"""


def record(around: Around | None = None, **values: str) -> DomainInfo:
    """Make a record of properties in XML; `__` in a keyword stands for a dot."""
    elements = {
        path.replace("__", "."): ElementTree.fromstring(f"<v {XSI}>{text}</v>") for path, text in values.items()
    }
    (made,) = records([Found("VirtualMachine", "vm-1", elements)], EVERYTHING, around or Around(), NOW, Sharing())
    return made


def test_a_domain_of_which_nothing_is_told_is_a_record_all_the_same() -> None:
    found = record()
    assert (found.native_id, found.name, found.power_state) == ("vm-1", "", "unknown")
    assert (found.uuid, found.vcpus, found.memory_bytes, found.disks, found.nics) == (None, None, None, (), ())
    assert (found.folder, found.created_at, found.agent, found.firmware) == (None, None, "unknown", None)


def test_disks_are_in_the_order_in_which_firmware_finds_them() -> None:
    found = record(config__hardware__device=SCSI + DISK + FIRST + IDE + CDROM)
    assert [(disk.id, disk.bus, disk.position, disk.boot_order) for disk in found.disks] == [
        ("3000", "ide", 0, 2),
        ("2001", "scsi", 1, 1),
        ("2000", "scsi", 2, None),
    ]
    last = found.disks[-1]
    assert (last.capacity_bytes, last.source, last.pool) == (1048577, "[ds] web/web.vmdk", "datastore-1")
    assert last.shareable
    assert last.details["vmware.controller"] == "pvscsi"


def test_a_boot_order_is_read() -> None:
    order = """<bootOrder xsi:type="VirtualMachineBootOptionsBootableCdromDevice"/>
      <bootOrder xsi:type="VirtualMachineBootOptionsBootableDiskDevice"><deviceKey>2000</deviceKey></bootOrder>
      <efiSecureBootEnabled>true</efiSecureBootEnabled>"""
    found = record(
        config__hardware__device=SCSI + DISK + FIRST + IDE + CDROM, config__bootOptions=order, config__firmware="efi"
    )
    assert {disk.id: disk.boot_order for disk in found.disks} == {"3000": 1, "2000": 2, "2001": None}
    assert (found.firmware, found.secure_boot) == ("uefi", True)


@pytest.mark.parametrize(("state", "up"), [("poweredOn", False), ("poweredOff", True)])
def test_an_adapter_tells_its_network_and_its_link(state: str, up: bool) -> None:
    around = Around(networks={"dvportgroup-7": NetworkName("prod", 42)})
    (nic,) = record(around, config__hardware__device=NIC, runtime__powerState=state).nics
    assert (nic.id, nic.mac, nic.network, nic.vlan) == ("4000", "00:50:56:ab:cd:ef", "prod", 42)
    assert (nic.model, nic.link_up) == ("vmxnet3", up)


def test_an_adapter_on_a_network_that_is_not_shown_tells_its_id() -> None:
    (nic,) = record(config__hardware__device=NIC).nics
    assert nic.network == "dvportgroup-7"


@pytest.mark.parametrize("told", ["", "x", "<a><b/></a>", "1e3", "99999999999999999999999999"])
def test_values_of_another_kind_are_no_values(told: str) -> None:
    found = record(
        summary__config__numCpu=told,
        config__hardware__device=told,
        config__extraConfig=told,
        runtime__bootTime=told,
        guest__net=told,
        config__bootOptions=told,
        runtime__question=told,
    )
    assert found.disks == ()
    assert found.metadata == {}
    assert found.started_at is None


def test_what_a_guest_told_counts_while_it_runs() -> None:
    net = """<GuestNicInfo><macAddress>00:50:56:AA:00:01</macAddress><ipConfig>
      <ipAddress><ipAddress>192.0.2.7</ipAddress><prefixLength>24</prefixLength></ipAddress>
      <ipAddress><ipAddress>fe80::1%eth0</ipAddress><prefixLength>64</prefixLength></ipAddress>
      <ipAddress><ipAddress>nonsense</ipAddress></ipAddress></ipConfig></GuestNicInfo>"""
    told: dict[str, Any] = {
        "guest__net": net,
        "guest__hostName": "web.example",
        "guest__toolsRunningStatus": "guestToolsRunning",
    }
    running = record(runtime__powerState="poweredOn", **told)
    assert [(one.ip, one.prefix_length, one.mac) for one in running.addresses] == [
        ("192.0.2.7", 24, "00:50:56:aa:00:01"),
        ("fe80::1", 64, "00:50:56:aa:00:01"),
    ]
    assert (running.agent, running.guest_hostname) == ("running", "web.example")
    off = record(runtime__powerState="poweredOff", **told)
    assert (off.agent, off.guest_hostname, off.addresses) == ("unknown", None, ())


@pytest.mark.parametrize(
    ("running", "version", "agent"),
    [
        ("guestToolsNotRunning", "guestToolsNotInstalled", "absent"),
        ("guestToolsNotRunning", "guestToolsCurrent", "stopped"),
        ("guestToolsExecutingScripts", "", "running"),
        ("", "", "unknown"),
    ],
)
def test_the_tools_state_is_told(running: str, version: str, agent: str) -> None:
    found = record(
        runtime__powerState="poweredOn", guest__toolsRunningStatus=running, guest__toolsVersionStatus2=version
    )
    assert found.agent == agent


def test_memory_that_can_be_added_makes_the_largest_unknown_or_told() -> None:
    size = {"summary__config__memorySizeMB": "1024"}
    assert record(**size).max_memory_bytes == 1 << 30
    assert record(config__memoryHotAddEnabled="true", **size).max_memory_bytes is None
    assert (
        record(config__memoryHotAddEnabled="true", config__hotPlugMemoryLimit="4096", **size).max_memory_bytes
        == 4 << 30
    )


def test_a_topology_is_told_where_it_fits() -> None:
    assert record(summary__config__numCpu="4", config__hardware__numCoresPerSocket="2").cpu_topology == CpuTopology(
        sockets=2, cores=2
    )
    assert record(summary__config__numCpu="3", config__hardware__numCoresPerSocket="2").cpu_topology is None


def test_folders_in_a_circle_end() -> None:
    around = Around(folders={"a": ("A", "b"), "b": ("B", "a")})
    assert around.path_of("a") is not None
    assert Around().path_of("a") is None


@pytest.mark.parametrize(
    ("told", "connection", "state"),
    [
        ("poweredOn", "connected", "running"),
        ("poweredOff", "connected", "shutoff"),
        ("suspended", "connected", "suspended"),
        ("poweredOn", "disconnected", "unknown"),
        ("poweredOff", "inaccessible", "unknown"),
        ("something new", "connected", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_states(told: str | None, connection: str | None, state: str) -> None:
    assert power_state(told, connection) == state


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T05:04:05.123456789+02:00", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_moments(told: str | None, moment: datetime | None) -> None:
    assert as_moment(told) == moment


def test_numbers_and_flags() -> None:
    assert [as_number(text) for text in ("7", "-1", "", "x", None)] == [7, -1, None, None, None]
    assert [as_flag(text) for text in ("true", " false ", "1", "yes", None)] == [True, False, True, None, None]


@pytest.mark.parametrize(
    ("told", "spoken"),
    [
        ("6.5", "vim.version.version11"),
        ("6.7.3", "vim.version.version15"),
        ("8.0.2.0", "vim.version.v8_0_2_0"),
        ("8.0.99.0", "vim.version.v8_0_3_1"),
        ("4.1", "vim.version.version11"),
        ("nonsense", "vim.version.version11"),
    ],
)
def test_the_newest_version_that_both_know_is_spoken(told: str, spoken: str) -> None:
    assert version_for(told) == spoken


def test_what_is_asked_for_depends_on_what_the_server_knows() -> None:
    assert "config.createDate" in domain_paths(frozenset({"config"}), created=True)
    assert "config.createDate" not in domain_paths(frozenset({"config"}), created=False)
    assert len(domain_paths(frozenset(), created=True)) == 8
    assert not [path for path in domain_paths(EVERYTHING, created=True) if path in ("config", "guest", "summary")]


@pytest.mark.parametrize(
    ("method", "again"),
    [
        *(("RetrievePropertiesEx", True), ("FindAllByUuid", True), ("CurrentTime", True), ("WaitForUpdatesEx", True)),
        *(("Destroy_Task", False), ("PowerOnVM_Task", False), ("ReconfigVM_Task", False), ("CreateVM_Task", False)),
        *(("CreateFilter", False), ("ShutdownGuest", False), ("Login", False), ("DestroyPropertyFilter", True)),
    ],
)
def test_only_what_changes_nothing_is_sent_again(method: str, again: bool) -> None:
    assert may_repeat(method) is again
