"""Requests and answers as lines, in whatever pieces they come."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from hvsdk_hyperv._frames import Lines, encode, packed


def answer(**more: object) -> bytes:
    return packed(json.dumps({"id": 7, **more}, ensure_ascii=False))


def test_an_answer_is_found_in_any_pieces() -> None:
    line = answer(result="ü 😀 ‘quotes’ " * 50)
    for size in (1, 2, 3, 7, 64, len(line)):
        lines = Lines()
        found = [one for at in range(0, len(line), size) for one in lines.feed(line[at : at + size])]
        assert found == [{"id": 7, "result": "ü 😀 ‘quotes’ " * 50}]


@pytest.mark.parametrize(
    "garbage",
    [
        b"WARNING: something\r\n",
        b"no line end H4sI",
        b"H4sIAAAA\r\n",
        b"\xff\xfe\x00\r\n",
        b"{}\r\n\r\n",
        b"H4sI" * 10,
        packed("[1]"),
        packed("no json"),
        b"\xef\xbb\xbf",
    ],
)
def test_garbage_before_an_answer_is_ignored(garbage: bytes) -> None:
    assert Lines().feed(garbage + answer(result=1)) == [{"id": 7, "result": 1}]


def test_several_answers_in_one_piece_are_all_found() -> None:
    assert [one["n"] for one in Lines().feed(answer(n=1) + answer(n=2) + answer(n=3)[:-1])] == [1, 2]


def test_a_long_answer_in_small_pieces_takes_no_time() -> None:
    line = packed(json.dumps({"id": 7, "result": [str(number) * 40 for number in range(20_000)]}))
    lines = Lines()
    found = [one for at in range(0, len(line), 512) for one in lines.feed(line[at : at + 512])]
    assert len(found[0]["result"]) == 20_000


@pytest.mark.parametrize("name", ["a'b\"`$(x)\n\r\t;", "‘’‚‛“”", "[x]*?", "\ud800", "ß" * 4000, "\0\x1b[31m"])
def test_a_request_is_one_line_of_ascii_whatever_is_in_it(name: str) -> None:
    line = encode({"id": 1, "operation": "x.y", "arguments": {"name": name}})
    assert line.endswith(b"\r\n")
    assert line.count(b"\n") == 1
    assert line.strip().isascii()
    data = base64.b64decode(line)
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    assert json.loads(text.decode("utf-8", "surrogatepass"))["arguments"]["name"] == name
