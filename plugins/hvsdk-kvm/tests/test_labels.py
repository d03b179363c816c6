"""Names, notes, tags, metadata and autostart come back to the letter, from a running domain too."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hvsdk import DiskSpec, Domain, Host
from hvsdk.errors import AlreadyExistsError, InvalidSpecError, PowerStateError
from kvm_support import soon
from making_support import ODD_NAMES, boot_disk, definition, spec

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._labels_xml import Labels, labels_element, parse_labels
from hvsdk_kvm._xml import HVSDK_NAMESPACE

ODD_TEXTS = {
    **ODD_NAMES,
    "blank": " ",
    "newline": "\n",
    "edges": "\n  x\t\n",
    "markup": "<a>]]>&amp;</a><!-- -->",
    "json": '{"tags": ["x"]}',
    "big": "é" * 100_000,
}


@pytest.fixture(params=["off", "running"])
def domain(request: pytest.FixtureRequest, embed_host: Host, tmp_path: Path) -> Iterator[Domain]:
    """A domain, once off and once running."""
    made = embed_host.create_domain(spec(disks=[DiskSpec(source=boot_disk(tmp_path / "web.qcow2"))]))
    if request.param == "running":
        made.start()
    return made  # type: ignore[return-value]


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_texts_come_back_to_the_letter(embed_host: Host, text: str) -> None:
    domain = embed_host.create_domain(spec())
    domain.set_notes(text)
    domain.set_metadata({"k": text, "other": "stays"})
    seen = embed_host.domain("web")
    assert seen.notes == text
    assert dict(seen.metadata) == {"k": text, "other": "stays"}


def test_labels_of_a_running_domain_hold_now_and_after_its_next_boot(domain: Domain) -> None:
    domain.set_notes("n")
    domain.set_tags({"a", "ü <b>"})
    domain.set_metadata({"k": "v"})
    for _ in range(2):
        assert (domain.refresh().notes, domain.tags, dict(domain.metadata)) == ("n", {"a", "ü <b>"}, {"k": "v"})
        if domain.power_state == "running":
            domain.power_off()
    domain.set_notes("")
    domain.set_tags(())
    domain.set_metadata({"k": None})
    assert (domain.refresh().notes, domain.tags, dict(domain.metadata)) == ("", frozenset(), {})
    assert HVSDK_NAMESPACE not in definition(domain)
    domain.set_metadata({"k": None})


def test_tags_and_metadata_do_not_touch_each_other(domain: Domain) -> None:
    domain.set_metadata({"a": "1"})
    domain.set_tags({"t"})
    domain.set_metadata({"b": "2", "a": None})
    assert (domain.refresh().tags, dict(domain.metadata)) == ({"t"}, {"b": "2"})


def test_changes_from_several_threads_are_all_kept(embed: KvmDriver, emulated: None) -> None:
    native_id = embed.create_domain(spec(), deadline=soon()).native_id
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: embed.set_metadata(native_id, {f"k{n}": str(n)}, deadline=soon()), range(20)))
    info = embed.get_domain(native_id, frozenset({"config"}), deadline=soon())
    assert dict(info.metadata) == {f"k{n}": str(n) for n in range(20)}


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"tags": 1, "metadata": {}}', '{"tags": []}', "null"])
def test_labels_that_somebody_else_wrote_are_none(text: str) -> None:
    assert parse_labels(text) == Labels()


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_a_domain_takes_odd_names(embed_host: Host, name: str) -> None:
    domain = embed_host.create_domain(spec())
    domain.rename(name)
    assert domain.name == name
    assert embed_host.domain(name).native_id == domain.native_id


@pytest.mark.parametrize("name", ["two\nlines", "a/b", "x" * 241])
def test_names_that_libvirt_cannot_hold_are_refused(embed_host: Host, name: str) -> None:
    domain = embed_host.create_domain(spec())
    with pytest.raises(InvalidSpecError):
        domain.rename(name)
    assert domain.refresh().name == "web"


def test_a_taken_name_is_refused_and_its_own_is_fine(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec())
    embed_host.create_domain(spec("taken"))
    with pytest.raises(AlreadyExistsError):
        domain.rename("taken")
    domain.rename("web")
    assert sorted(item.name for item in embed_host.domains()) == ["taken", "web"]


def test_a_domain_that_is_on_or_saved_keeps_its_name(embed_host: Host, tmp_path: Path) -> None:
    domain = embed_host.create_domain(spec(disks=[DiskSpec(source=boot_disk(tmp_path / "web.qcow2"))]))
    domain.start()
    for _ in range(2):
        with pytest.raises(PowerStateError, match="off"):
            domain.rename("other")
        if domain.power_state == "running":
            domain.suspend()
    domain.power_off(discard_memory=True)
    domain.rename("other")
    assert domain.name == "other"


def test_autostart_is_switched(domain: Domain) -> None:
    for enabled in (True, True, False):
        domain.set_autostart(enabled)
        assert domain.refresh().autostart is enabled


def test_labels_that_somebody_else_wrote_in_escapes_can_be_written_again() -> None:
    odd = Labels(frozenset(), {"a": "half \ud800", "b": "\ufffe\x85"})
    element = labels_element(odd)
    assert element is not None
    assert (element.text or "").isascii()
    assert parse_labels(element.text) == odd
