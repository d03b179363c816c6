"""Making domains: as asked, or refused with nothing left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import hvsdk
import pytest
from hvsdk import CloudInit, DiskSpec, DomainSpec, NicSpec, errors
from hvsdk_simulators import Running
from hyperv_support import connect, requests_of

Make = Callable[..., hvsdk.Domain]
HOSTILE = [
    "a'b",
    'say "x"',
    "`$(Stop-Computer)`",
    "x; Remove-VM *",
    "\u2018quoted\u2019",
    "[a-z]*?",
    "\u540d\u524d \U0001f600",
]


@pytest.fixture
def make(place: tuple[Running, hvsdk.Host]) -> Iterator[Make]:
    made: list[hvsdk.Domain] = []

    def create(**wishes: object) -> hvsdk.Domain:
        spec = DomainSpec(**{"name": "made", "memory": "64MiB", **wishes})  # type: ignore[arg-type]
        made.append(place[1].create_domain(spec))
        return made[-1]

    yield create
    for domain in made:
        domain.delete(disks="delete")


def files(server: Running) -> set[str]:
    assert server.root is not None
    return {path.name for path in Path(server.root).iterdir()}


def test_making_a_domain_is_two_requests(place: tuple[Running, hvsdk.Host], make: Make) -> None:
    server, _ = place
    wishes = {"disks": [DiskSpec(size="16MiB")], "nics": [NicSpec()], "tags": {"x"}, "notes": "n"}
    assert requests_of(server, lambda: make(**wishes)) == {"Send": 1, "Receive": 1}


def test_generation_follows_from_the_firmware(make: Make) -> None:
    old, new = make(firmware="bios"), make(firmware="uefi", secure_boot=True, guest_os="linux")
    assert (old.details["hyperv.generation"], old.firmware, old.secure_boot) == (1, "bios", False)
    assert (new.details["hyperv.generation"], new.firmware, new.secure_boot) == (2, "uefi", True)
    assert new.details["hyperv.secure_boot_template"] == "MicrosoftUEFICertificateAuthority"
    assert make(firmware="uefi").secure_boot is False


def test_disks_lie_where_the_guest_can_boot_from(make: Make) -> None:
    disks = [DiskSpec(size="16MiB"), DiskSpec(size="24MiB"), DiskSpec(device="cdrom")]
    old = make(firmware="bios", disks=disks)
    assert [(disk.device, disk.bus) for disk in old.disks] == [("disk", "ide"), ("cdrom", "ide"), ("disk", "scsi")]
    new = make(firmware="uefi", disks=disks)
    assert {disk.bus for disk in new.disks} == {"scsi"}
    assert [disk.capacity_bytes for disk in new.disks][:2] == [16 << 20, 24 << 20]


def test_a_boot_order_is_what_was_asked_for(make: Make) -> None:
    disks = [DiskSpec(size="16MiB", boot_order=2), DiskSpec(size="24MiB", boot_order=1)]
    domain = make(firmware="uefi", disks=disks, nics=[NicSpec()])
    assert [disk.boot_order for disk in domain.disks] == [2, 1]
    with pytest.raises(errors.InvalidSpecError, match="generation 1"):
        make(firmware="bios", disks=disks)


def test_disks_boot_before_the_network_and_drives_after_them(make: Make) -> None:
    disks = [DiskSpec(device="cdrom"), DiskSpec(size="16MiB"), DiskSpec(size="24MiB")]
    domain = make(firmware="uefi", disks=disks, nics=[NicSpec()])
    orders = {disk.capacity_bytes: disk.boot_order for disk in domain.disks if disk.device == "disk"}
    assert orders == {16 << 20: 1, 24 << 20: 2}


def test_dynamic_memory_has_its_bounds(make: Make) -> None:
    domain = make(memory="128MiB", hints={"hyperv.memory_minimum": 64 << 20, "hyperv.memory_maximum": 256 << 20})
    assert domain.details["hyperv.dynamic_memory"] is True
    assert (domain.memory_bytes, domain.max_memory_bytes) == (128 << 20, 256 << 20)


def test_an_unplugged_adapter_remembers_where_it_belongs(make: Make) -> None:
    domain = make(firmware="uefi", nics=[NicSpec(network="External", link_up=False)], notes="mine")
    (nic,) = domain.nics
    assert (nic.link_up, domain.notes) == (False, "mine")
    domain.set_nic_link(nic, True)
    assert domain.refresh().nics[0].network == "External"


def test_data_for_cloud_init_is_on_an_image_of_its_own(place: tuple[Running, hvsdk.Host], make: Make) -> None:
    server, _ = place
    domain = make(firmware="uefi", cloud_init=CloudInit(user_data="#cloud-config\npassword: hush\n"))
    (drive,) = domain.disks
    assert drive.device == "cdrom"
    assert drive.source is not None
    assert drive.source.endswith(f"hvsdk-seed-{domain.native_id}.iso")
    assert server.root is not None
    assert b"hush" in (Path(server.root) / drive.source).read_bytes()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data(make: Make, name: str) -> None:
    domain = make(name=name, notes=f"notes of {name}", disks=[DiskSpec(size="16MiB")])
    assert (domain.refresh().name, domain.notes) == (name, f"notes of {name}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory": 65 << 20},
        {"template": "none"},
        {"machine": "q35"},
        {"clock": "localtime"},
        {"smbios": {"serial": "1"}},
        {"max_vcpus": 4},
        {"max_memory": "1GiB"},
        {"name": "x" * 101},
        {"guest_os": "beos"},
        {"hints": {"hyperv.secure_boot_template": "MicrosoftWindows"}},
        {"hints": {"hyperv.memory_minimum": 128 << 20}},
        {"hints": {"hyperv.unknown": 1}},
        {"disks": [DiskSpec(size="16MiB", boot_order=1), DiskSpec(size="16MiB", boot_order=1)]},
        {"nics": [NicSpec(network="no such switch")]},
        {"media": "no such image"},
        {"disks": [DiskSpec(size="16MiB"), DiskSpec(source="no such disk")]},
        {"disks": [DiskSpec(size="16MiB"), DiskSpec(size="16MiB", pool="Q:\\none")]},
        {"firmware": "uefi", "disks": [DiskSpec(size="16MiB", bus="ide")]},
        {"firmware": "uefi", "nics": [NicSpec(), NicSpec(model="legacy")]},
    ],
    ids=repr,
)
def test_what_cannot_be_had_is_refused_and_leaves_nothing(
    place: tuple[Running, hvsdk.Host], wrong: dict[str, object]
) -> None:
    server, host = place
    before, known = files(server), {domain.native_id for domain in host.domains()}
    with pytest.raises((errors.InvalidSpecError, errors.NotFoundError)):
        host.create_domain(DomainSpec(**{"name": "wrong", "memory": "64MiB", **wrong}))  # type: ignore[arg-type]
    assert files(server) == before
    assert {domain.native_id for domain in host.domains()} == known


def test_what_an_older_host_lacks_is_refused(make_server: Callable[..., Running]) -> None:
    with connect(make_server(version=2012)) as host:
        spec = DomainSpec(name="x", memory="64MiB", hints={"hyperv.checkpoint_type": "Standard"})
        with pytest.raises(errors.InvalidSpecError, match="CheckpointType"):
            host.create_domain(spec)
        assert host.create_domain(DomainSpec(name="x", memory="64MiB")).details["hyperv.version"] == "5.0"
