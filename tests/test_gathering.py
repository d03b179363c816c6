"""Volumes that are sent as one stream: what is gathered, what is kept, and how it ends."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from hvsdk import errors
from hvsdk._ranges import Ranges
from hvsdk.driver import DiskReader, Extent, finish
from hvsdk.gathering import GatheringWriter, no_room

MIB = 1 << 20
SIZE = 8 * MIB


class Before(DiskReader):
    """What is on a volume: a hole, then ones."""

    def __init__(self) -> None:
        self.size = SIZE
        self.asked: list[tuple[int, int]] = []
        self.closed = False

    def extents(self) -> Iterable[Extent]:
        yield Extent(offset=0, length=4 * MIB, zero=True)
        yield Extent(offset=4 * MIB, length=4 * MIB)

    def read(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return b"1" * length

    def close(self) -> None:
        self.closed = True


class Writer(GatheringWriter):
    """Sends to a list."""

    def __init__(self, content: Callable[[], DiskReader] | None = None, failure: Exception | None = None) -> None:
        super().__init__(SIZE, content)
        self.sent: list[bytes] = []
        self.blocks_sent: list[list[int]] = []
        self.failure = failure
        self.wait = False

    def send(self) -> None:
        while self.wait:
            self.check()
            time.sleep(0.01)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.share = 1.0
        self.blocks_sent.append(list(self.blocks(MIB)))
        self.sent.append(self.gathered(0, self.size))


def done(task: object) -> None:
    if task is not None:
        finish(task, 20)  # type: ignore[arg-type]


@pytest.mark.parametrize("pieces", [[(0, 4), (4, 8), (2, 6)], [(9, 10), (1, 2), (5, 5)], [(3, 4), (0, 20)], []])
def test_what_was_not_written_is_known_to_the_byte(pieces: list[tuple[int, int]]) -> None:
    ranges, there = Ranges(), set[int]()
    for begin, end in pieces:
        ranges.add(begin, end)
        there |= set(range(begin, end))
    for begin in range(20):
        gaps = [set(range(*gap)) for gap in ranges.gaps(begin, 20)]
        assert set[int]().union(*gaps) == set(range(begin, 20)) - there


def test_ranges_know_what_is_missing() -> None:
    found = Ranges()
    assert list(found.gaps(0, 10)) == [(0, 10)]
    for begin, end in ((3, 3), (2, 4), (6, 8), (4, 5), (7, 9), (0, 1)):
        found.add(begin, end)
    assert list(found.gaps(0, 12)) == [(1, 2), (5, 6), (9, 12)]
    found.add(0, 12)
    assert list(found.gaps(0, 12)) == []


def test_what_is_written_is_sent_once_and_holes_are_known() -> None:
    writer = Writer()
    writer.write(MIB + 5, b"abc")
    writer.write(6 * MIB, b"x" * MIB)
    writer.zero(6 * MIB, 10)
    done(writer.flush())
    done(writer.close())
    done(writer.close())
    expected = bytearray(SIZE)
    expected[MIB + 5 : MIB + 8] = b"abc"
    expected[6 * MIB + 10 : 7 * MIB] = b"x" * (MIB - 10)
    assert [hashlib.sha256(one).digest() for one in writer.sent] == [hashlib.sha256(expected).digest()]
    assert writer.blocks_sent == [[1, 6]]


def test_a_volume_that_nobody_wrote_to_is_not_sent() -> None:
    writer = Writer()
    assert writer.close() is None
    assert writer.sent == []


def test_zeros_that_came_after_data_are_sent_again() -> None:
    writer = Writer()
    writer.write(0, b"x" * MIB)
    done(writer.flush())
    writer.zero(0, MIB)
    done(writer.close())
    assert writer.sent[1] == bytes(SIZE)
    assert writer.blocks_sent == [[0], [0]], "what was sent before has to be written over"


def test_what_was_there_is_kept_where_it_was_not_written_over() -> None:
    before = Before()
    writer = Writer(lambda: before)
    writer.write(5 * MIB, b"2" * MIB)
    writer.zero(7 * MIB, MIB)
    done(writer.close())
    assert writer.sent == [bytes(4 * MIB) + b"1" * MIB + b"2" * MIB + b"1" * MIB + bytes(MIB)]
    assert before.asked == [(4 * MIB, MIB), (6 * MIB, MIB)], "neither holes nor what was written over is read"
    assert before.closed


def test_what_failed_can_be_closed_again() -> None:
    writer = Writer(failure=OSError("refused"))
    writer.write(0, b"once")
    with pytest.raises(OSError, match="refused"):
        done(writer.close())
    done(writer.close())
    assert [one[:4] for one in writer.sent] == [b"once"]


def test_a_writer_that_is_given_up_sends_nothing_more() -> None:
    writer = Writer()
    writer.write(0, b"x")
    writer.wait = True
    task = writer.close()
    assert task is not None
    writer.abort()
    writer.abort()
    with pytest.raises(errors.CancelledError):
        done(task)
    assert writer.sent == []
    with pytest.raises(errors.OperationFailedError, match="closed"):
        writer.write(0, b"y")


def test_a_cancelled_close_can_be_tried_again() -> None:
    writer = Writer()
    writer.write(0, b"x")
    writer.wait = True
    task = writer.close()
    assert task is not None
    task.cancel()  # type: ignore[union-attr]
    with pytest.raises(errors.CancelledError):
        done(task)
    writer.wait = False
    done(writer.close())
    assert len(writer.sent) == 1


def test_a_full_directory_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(errors.InsufficientResourcesError, match="TMPDIR") as failed, no_room():
        Path("/dev/full").write_bytes(b"x")
    assert tempfile.gettempdir() in failed.value.message
    with pytest.raises(FileNotFoundError), no_room():
        (tmp_path / "none").read_bytes()
