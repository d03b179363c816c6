"""Notes with their block: read back exactly, edited by hand, damaged, hostile."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvsdk_hyperv._notes import DAMAGED, Notes, read_notes

BEGIN = "[hvsdk:1 tags and metadata, kept by hvsdk]"
PIECES = [
    BEGIN,
    "[hvsdk:1]",
    "[/hvsdk]",
    "[HVSDK:2]",
    "\n",
    "\r\n",
    "{}",
    '{"tags": ["a"]}',
    " ",
    "\t",
    "text",
    "( hvsdk",
]

texts = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=10).map("".join)
notes = st.builds(
    Notes,
    text=texts,
    tags=st.frozensets(texts, max_size=3),
    metadata=st.dictionaries(texts, texts, max_size=3),
    links=st.dictionaries(texts, st.fixed_dictionaries({"switch": texts, "name": texts}), max_size=2),
    start_action=st.none() | texts,
    kept=st.lists(texts, max_size=2).map(tuple),
)


@settings(max_examples=400, deadline=None)
@given(notes)
def test_what_is_written_is_read_back(one: Notes) -> None:
    assert read_notes(one.write()) == one


@settings(max_examples=300, deadline=None)
@given(texts)
def test_any_text_can_be_read_and_stays_what_it_is_when_something_is_added(stored: str) -> None:
    before = read_notes(stored)
    after = read_notes(before.with_metadata({"a.b": "c"}).write())
    assert after.text == before.text
    assert after.metadata == {**before.metadata, "a.b": "c"}
    assert after.problem is None


@settings(max_examples=300, deadline=None)
@given(texts.filter(lambda one: one == one.strip() and "hvsdk" not in one.lower()), texts)
def test_what_is_written_by_hand_around_the_block_is_text(above: str, value: str) -> None:
    block = Notes(metadata={"a.b": value}).write()
    found = read_notes(f"{above}\n{block}\nbelow")
    assert found.text == (f"{above}\nbelow" if above else "below")
    assert found.metadata == {"a.b": value}


def test_a_text_alone_is_stored_as_it_is() -> None:
    assert Notes(text="Ask Ann.\nThen stop it.").write() == "Ask Ann.\nThen stop it."
    assert Notes().write() == ""


def test_the_block_is_there_to_be_read_by_people() -> None:
    stored = Notes(text="Ask Ann.", tags=frozenset({"prod", "web"}), metadata={"team.owner": "ann"}).write()
    assert stored.startswith(f"Ask Ann.\n\n{BEGIN}\n")
    assert stored.endswith("\n[/hvsdk]")
    assert json.loads(stored.split("\n", 3)[3].removesuffix("[/hvsdk]")) == {
        "metadata": {"team.owner": "ann"},
        "tags": ["prod", "web"],
    }


def test_a_block_whose_lines_got_other_ends_is_read() -> None:
    stored = Notes(text="a\nb", tags=frozenset({"x"})).write().replace("\n", "\r\n")
    assert read_notes(stored).tags == {"x"}


@pytest.mark.parametrize("text", ["  spaces at both ends ", "ends\n", BEGIN, f"{BEGIN}\n{{}}\n[/hvsdk]", "tab\there"])
def test_texts_that_would_not_come_back_are_kept_in_the_block(text: str) -> None:
    assert read_notes(Notes(text=text).write()) == Notes(text=text)


def test_a_hand_edit_of_a_text_that_was_kept_in_the_block_counts() -> None:
    stored = Notes(text=" two\n").write()
    assert read_notes(stored.replace("two\n", "three\n", 1)).text == "three"


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        (f"mine\n\n{BEGIN}\n{{not json\n[/hvsdk]", DAMAGED),
        (f"mine\n\n{BEGIN}\n{{}}", DAMAGED),
        (f"mine\n\n{BEGIN}\n[1]\n[/hvsdk]", DAMAGED),
        (f'mine\n\n{BEGIN}\n{{"tags": "web"}}\n[/hvsdk]', DAMAGED),
        (f'mine\n\n{BEGIN}\n{{"metadata": {{"a": 1}}}}\n[/hvsdk]', DAMAGED),
        (f'{BEGIN}\n{{"links": {{"a": null}}}}\n[/hvsdk]', DAMAGED),
        (f"{BEGIN}\n{'[' * 100000}\n[/hvsdk]", DAMAGED),
        ("[hvsdk:2 of a later version]\n{}\n[/hvsdk]", "version 2"),
    ],
)
def test_a_block_that_cannot_be_read_is_text_and_told_of(stored: str, problem: str) -> None:
    found = read_notes(stored)
    assert (found.text, found.problem) == (stored, problem)
    assert (found.tags, found.metadata) == (frozenset(), {})


def test_a_damaged_block_is_not_destroyed() -> None:
    stored = f"mine\n\n{BEGIN}\n{{not json\n[/hvsdk]"
    tagged = read_notes(read_notes(stored).with_metadata({"a.b": "c"}).write())
    assert tagged.text == stored
    replaced = read_notes(read_notes(stored).with_text("new").write())
    assert (replaced.text, replaced.kept) == ("new", (stored,))
    assert read_notes(replaced.with_text("newer").write()).kept == (stored,)


def test_what_others_put_into_the_block_stays() -> None:
    stored = f'{BEGIN}\n{{"later": {{"x": [1]}}, "tags": []}}\n[/hvsdk]'
    assert read_notes(read_notes(stored).with_text("text").write()).other == {"later": {"x": [1]}}


def test_links_are_remembered_and_forgotten() -> None:
    one = Notes().with_link("nic", {"switch": "id", "name": "Lab"})
    assert read_notes(one.write()).links == {"nic": {"switch": "id", "name": "Lab"}}
    assert one.with_link("nic", None).write() == ""


def test_a_key_without_a_value_goes() -> None:
    assert Notes(metadata={"a.b": "c"}).with_metadata({"a.b": None, "d.e": "f"}).metadata == {"d.e": "f"}
