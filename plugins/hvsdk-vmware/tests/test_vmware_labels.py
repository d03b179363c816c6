"""Name, notes, tags and metadata: what is written comes back, and what others wrote stays."""

from __future__ import annotations

import hvsdk
import pytest
from hvsdk.driver import errors
from pyVmomi import vim
from vmware_support import Raw

from hvsdk_vmware._extra_config import read_tags, read_value, write_tags, write_value
from hvsdk_vmware._names import shown, written

HOSTILE = ("", "\\", "\\\\x", "<b>&amp;</b>", "ünï ☃", "a=b\nc", " spaces ", '"]]>', "%2f")


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_read_as_they_were_written(value: str) -> None:
    assert read_value(write_value(value)) == value
    assert write_value(value) != "", "an empty value is removed by the server"


@pytest.mark.parametrize("tags", [set(), {"a"}, {'"', "b,c", "☃"}])
def test_tags_are_read_as_they_were_written(tags: set[str]) -> None:
    assert read_tags(write_tags(tags)) == tags


@pytest.mark.parametrize("stored", ["{}", "[1, null]", "not json", "[" * 100_000])
def test_what_somebody_else_wrote_there_is_no_tag(stored: str) -> None:
    assert read_tags(stored) == frozenset()


@pytest.mark.parametrize(("name", "stored"), [("a/b", "a%2fb"), ("50%", "50%25"), ("a\\b", "a%5cb"), ("%2f", "%252f")])
def test_names_are_written_as_vsphere_has_them(name: str, stored: str) -> None:
    assert (written(name), shown(stored)) == (stored, name)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "/" * 30])
def test_names_that_vsphere_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(errors.InvalidSpecError):
        written(name)


@pytest.mark.parametrize("name", ["plain", "a/b%2fc\\d", "ünï ☃", "<x>&amp;", "$(id) `id`"])
def test_a_rename_is_seen(domain: hvsdk.Domain, name: str) -> None:
    domain.rename(name)
    assert domain.refresh().name == name


def test_metadata_are_merged_and_removed(domain: hvsdk.Domain, raw: Raw) -> None:
    other = vim.vm.ConfigSpec(extraConfig=[vim.option.OptionValue(key="guestinfo.other", value="theirs")])
    raw.done(raw.vm(domain.native_id).ReconfigVM_Task(other))
    wishes = {f"team.key{number}": value for number, value in enumerate(HOSTILE)}
    domain.set_metadata(wishes)
    assert {key: domain.metadata[key] for key in wishes} == wishes
    domain.set_metadata(dict.fromkeys(wishes) | {"team.last": "stays"})
    assert domain.metadata == {"team.last": "stays"}
    domain.set_metadata({"team.last": None})
    assert domain.metadata == {}
    kept = {entry.key: entry.value for entry in raw.vm(domain.native_id).config.extraConfig}
    assert kept["guestinfo.other"] == "theirs"


def test_tags_and_notes_come_back(domain: hvsdk.Domain) -> None:
    domain.set_tags({"web", "müller & söhne", '"'})
    domain.set_notes("one\ntwo\t<three> & ☃")
    assert (domain.tags, domain.notes) == ({"web", "müller & söhne", '"'}, "one\ntwo\t<three> & ☃")
    domain.set_tags(set())
    assert domain.tags == frozenset()
