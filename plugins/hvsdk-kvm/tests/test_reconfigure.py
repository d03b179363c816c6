"""vCPUs, memory and CPU: what takes effect at once is told apart from what waits for the next boot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import libvirt
import pytest
from hvsdk import DiskSpec, Domain, Host
from hvsdk.errors import InvalidSpecError, PowerStateError
from hvsdk.models import Changes, CpuTopology
from kvm_support import finish, soon
from making_support import MIB, boot_disk, definition, spec

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._xml import parse_xml, write_xml

Boots = Callable[..., Domain]


@pytest.fixture
def boots(embed_host: Host, tmp_path: Path) -> Boots:
    """Makes a domain with a guest that takes no notice of anything, and starts it."""

    def make(**more: object) -> Domain:
        disk = DiskSpec(source=boot_disk(tmp_path / "web.qcow2"))
        domain = embed_host.create_domain(spec(disks=[disk], **more))
        domain.start()
        return domain

    return make


def defined(domain: Domain, path: str) -> str | None:
    return parse_xml(definition(domain)).findtext(path)


def test_a_domain_that_is_off_takes_all_of_it(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec())
    applied = domain.reconfigure(vcpus=2, max_vcpus=4, memory="32MiB", max_memory="64MiB")
    assert (applied.live, applied.next_boot) == ({"vcpus", "max_vcpus", "memory", "max_memory"}, frozenset())
    assert (domain.vcpus, domain.max_vcpus) == (2, 4)
    assert (domain.memory_bytes, domain.max_memory_bytes) == (32 * MIB, 64 * MIB)


def test_a_maximum_grows_with_what_is_asked(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec())
    domain.reconfigure(vcpus=3, memory="48MiB")
    assert (domain.vcpus, domain.max_vcpus) == (3, 3)
    assert (domain.memory_bytes, domain.max_memory_bytes) == (48 * MIB, 48 * MIB)


def test_memory_without_room_above_it_shrinks_with_its_maximum(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(memory="64MiB"))
    domain.reconfigure(memory="32MiB")
    assert (domain.memory_bytes, domain.max_memory_bytes) == (32 * MIB, 32 * MIB)


def test_vcpus_up_to_the_maximum_come_at_once(boots: Boots) -> None:
    domain = boots(max_vcpus=4)
    applied = domain.reconfigure(vcpus=2)
    assert (applied.live, applied.next_boot) == ({"vcpus"}, frozenset())
    assert domain.vcpus == 2
    applied = domain.reconfigure(vcpus=1)
    assert applied.next_boot == {"vcpus"}
    domain.power_off()
    assert domain.refresh().vcpus == 1


def test_what_the_running_domain_has_no_room_for_waits(boots: Boots) -> None:
    domain = boots()
    applied = domain.reconfigure(vcpus=2, memory="32MiB")
    assert (applied.live, applied.next_boot) == (frozenset(), {"vcpus", "memory"})
    assert domain.refresh().vcpus == 1
    domain.power_off()
    assert (domain.refresh().vcpus, domain.memory_bytes) == (2, 32 * MIB)


def test_memory_that_the_guest_keeps_is_not_called_given_back(boots: Boots) -> None:
    domain = boots(memory="32MiB")
    applied = domain.reconfigure(memory="16MiB")
    assert applied.next_boot == {"memory"}
    domain.power_off()
    assert domain.refresh().memory_bytes == 16 * MIB


@pytest.mark.parametrize(
    "wish",
    [
        {"vcpus": 4, "max_vcpus": 2},
        {"max_memory": "1MiB"},
        {"cpu_topology": CpuTopology(sockets=3, cores=1)},
        {"hints": {"kvm.colour": "red"}},
        {"hints": {"kvm.on_crash": "explode"}},
    ],
    ids=str,
)
def test_what_does_not_fit_changes_nothing(embed_host: Host, wish: dict[str, object]) -> None:
    domain = embed_host.create_domain(spec(vcpus=2))
    before = definition(domain)
    with pytest.raises(InvalidSpecError):
        domain.reconfigure(**wish)  # type: ignore[arg-type]
    assert definition(domain) == before


def test_a_topology_comes_with_its_vcpus(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(vcpus=2, cpu_topology=CpuTopology(sockets=2, cores=1)))
    with pytest.raises(InvalidSpecError, match="topology"):
        domain.reconfigure(vcpus=4)
    domain.reconfigure(vcpus=4, cpu_topology=CpuTopology(sockets=1, cores=4))
    assert domain.cpu_topology == CpuTopology(sockets=1, cores=4)


def test_hints_are_settings_too(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec())
    hints = {"kvm.on_crash": "preserve", "kvm.cpu_mode": "maximum", "kvm.cpu_shares": 512, "xen.weight": 1}
    applied = domain.reconfigure(hints=hints)
    assert applied.live == {"kvm.on_crash", "kvm.cpu_mode", "kvm.cpu_shares"}
    assert defined(domain, "on_crash") == "preserve"
    assert defined(domain, "cputune/shares") == "512"
    assert parse_xml(definition(domain)).find("cpu[@mode='maximum']") is not None


def test_a_hint_for_the_next_boot_waits(boots: Boots) -> None:
    applied = boots().reconfigure(hints={"kvm.on_crash": "preserve"})
    assert (applied.live, applied.next_boot) == (frozenset(), {"kvm.on_crash"})


def test_what_others_wrote_in_the_definition_survives(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(tags=["kept"], notes="kept too"))
    root = parse_xml(definition(domain))
    metadata = root.find("metadata")
    assert metadata is not None
    metadata.append(parse_xml("<a:app xmlns:a='http://example.org/a' k='v'><a:inner>x</a:inner></a:app>"))
    graphics = root.find("devices/graphics")
    assert graphics is not None
    graphics.set("passwd", "hidden-7")
    embed_host.native().defineXML(write_xml(root))
    domain.reconfigure(vcpus=2)
    found = embed_host.native().lookupByUUIDString(domain.native_id)
    after = parse_xml(found.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE))
    assert after.findtext("metadata/{http://example.org/a}app/{http://example.org/a}inner") == "x"
    assert after.find("devices/graphics[@passwd='hidden-7']") is not None
    assert (domain.tags, domain.notes) == ({"kept"}, "kept too")
    domain.set_tags({"new"})
    assert domain.refresh().tags == {"new"}


def test_a_domain_without_a_definition_cannot_be_changed_for_the_next_boot(
    embed: KvmDriver, emulated: None, tmp_path: Path
) -> None:
    disk = DiskSpec(source=boot_disk(tmp_path / "web.qcow2"))
    info = embed.create_domain(spec(disks=[disk]), deadline=soon())
    finish(embed.start(info.native_id, deadline=soon()))
    embed.lookup(info.native_id).undefine()
    with pytest.raises(PowerStateError, match="no definition"):
        embed.reconfigure(info.native_id, Changes(vcpus=2), deadline=soon())


def test_a_saved_domain_keeps_its_sizes(boots: Boots) -> None:
    domain = boots()
    domain.suspend()
    before = definition(domain)
    with pytest.raises(PowerStateError):
        domain.reconfigure(vcpus=2)
    assert definition(domain) == before
    domain.power_off(discard_memory=True)
