"""Files of datastores, from servers that answer as they should not."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hvsdk.connections import Endpoint, Pool
from vmware_liar import Liar, Session, answer, liars, part
from vmware_support import soon

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._datastore_files import FileRefusedError, RemoteFile


@pytest.fixture
def liar() -> Iterator[Callable[..., Liar]]:
    with liars() as start:
        yield start


def remote(liar: Liar, size: int = 1000) -> tuple[RemoteFile, Pool]:
    pool = Pool(Endpoint("127.0.0.1", liar.port))
    session: Any = Session(pool)
    return RemoteFile(session, "/folder/a-flat.vmdk?dcPath=x&dsName=y", "[y] a-flat.vmdk", size), pool


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer("200 OK", b"x" * 1000), "does not send parts"),
        (answer("403 Forbidden"), "Datastore.FileManagement"),
        (answer("404 Not Found", b"<html>"), "vSAN"),
        (answer("416 Range Not Satisfiable"), "shorter"),
        (answer("500 Internal Server Error"), "cannot read"),
        (answer("401 Unauthorized"), "session"),
        (answer("302 Found", b"", "Location: https://evil.example/"), "HTTP 302"),
        (part(999, 999, 1001, b"x"), "has 1001 bytes"),
    ],
)
def test_a_file_that_is_refused_says_why(liar: Callable[..., Liar], bad: bytes, words: str) -> None:
    file, pool = remote(liar(bad))
    with pytest.raises(FileRefusedError, match=words):
        file.check(soon())
    pool.close()


@pytest.mark.parametrize(
    "bad",
    [
        part(0, 9, 1000, b"x" * 10),
        part(10, 20, 1000, b"x" * 11),
        answer("206 Partial Content", b"x" * 10),
        answer("206 Partial Content", b"x" * 10, "Content-Range: bytes */1000"),
        answer("206 Partial Content", b"x" * 10, "Content-Range: bytes 10-19/" + "9" * 50),
        part(10, 19, 1000, b"x" * 12),
    ],
)
def test_another_part_than_was_asked_for_is_refused(liar: Callable[..., Liar], bad: bytes) -> None:
    file, pool = remote(liar(bad))
    with pytest.raises(AnswerError):
        file.read(10, 10)
    pool.close()


def test_a_part_that_breaks_off_goes_on_where_it_broke(liar: Callable[..., Liar]) -> None:
    server = liar(
        part(10, 19, 1000, b"abc", length=10), part(13, 19, 1000, b"defg", length=7), part(17, 19, 1000, b"hij")
    )
    file, pool = remote(server)
    assert file.read(10, 10) == b"abcdefghij"
    ranges = [line for head in server.asked for line in head.split(b"\r\n") if line.startswith(b"Range")]
    assert ranges == [b"Range: bytes=10-19", b"Range: bytes=13-19", b"Range: bytes=17-19"]
    pool.close()


def test_a_part_that_never_comes_is_not_asked_for_for_ever(liar: Callable[..., Liar]) -> None:
    server = liar(part(10, 19, 1000, b"", length=10))
    file, pool = remote(server)
    with pytest.raises(http.client.IncompleteRead):
        file.read(10, 10)
    assert len(server.asked) == 3
    pool.close()
