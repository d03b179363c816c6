"""The inventory's file: what becomes of it when a process is killed, when two write, and when it is something else."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import hvsdk
from hvsdk import errors
from hvsdk._inventory import schema
from hvsdk.testing.fake import control

RECORD = """
import functools, os, signal, sqlite3, sys
import hvsdk

path, world, kill_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
steps = 0

def step():
    global steps
    steps += 1
    if steps == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0

class Counted(sqlite3.Connection):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.set_progress_handler(step, 20)

sqlite3.connect = functools.partial(sqlite3.connect, factory=Counted)
with hvsdk.Fleet({f"h{n}": f"fake://{world}-{n}?domains=50" for n in range(4)}) as fleet:
    print("asking", flush=True)
    snapshot = fleet.record(path)
    print(snapshot.id, steps, flush=True)
"""
"""Records a fleet whose worlds all differ from one time to the next; killed at a step of SQLite's, if any."""
DOMAINS = 200


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inventory.db"


@pytest.fixture
def fleet():
    with hvsdk.Fleet({"a": "fake://a?domains=3", "b": "fake://b?domains=2"}) as fleet:
        yield fleet


def start(path, world, kill_at=0):
    command = [sys.executable, "-c", RECORD, str(path), world, str(kill_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finished(process):
    """Return what a process printed last, and how it ended."""
    out, _ = process.communicate(timeout=60)
    return out.split("asking\n")[-1].split(), process.returncode


def sound(path, committed):
    """Check that the file is whole and has all that was committed, and return its newest snapshot's number."""
    inventory = hvsdk.Inventory.open(path)
    found = inventory.snapshots()
    for snapshot in found:
        assert snapshot.domains == DOMAINS == len(inventory.at(snapshot))
        assert (snapshot.answered, snapshot.failures) == (4, ())
    for number, dicts in committed.items():
        assert inventory.at(number).to_dicts() == dicts
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return found[-1].id


def killed(path, count, seed):
    """Kill recordings at points chosen by a seed: at a step of a statement, or some time after the hosts are asked."""
    chance = random.Random(seed)
    (number, steps), code = finished(start(path, "first"))
    assert code == 0
    committed = {1: hvsdk.Inventory.open(path).at(int(number)).to_dicts()}
    deaths = 0
    for turn in range(count):
        by_step = turn % 2 == 0
        process = start(path, f"turn-{turn}", chance.randrange(1, int(steps)) if by_step else 0)
        if not by_step:
            assert process.stdout.readline() == "asking\n"
            time.sleep(chance.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
        told, code = finished(process)
        deaths += code == -signal.SIGKILL and not told
        newest = sound(path, committed)
        assert newest >= max(committed)
        committed[newest] = hvsdk.Inventory.open(path).at(newest).to_dicts()
    told, code = finished(start(path, "last"))
    assert code == 0
    assert sound(path, committed) == int(told[0]) > max(committed)
    return deaths


def test_a_process_killed_while_it_records_loses_no_snapshot(path):
    assert killed(path, count=8, seed=8) >= 4


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_many_points(path, seed):
    assert killed(path, count=40, seed=seed) >= 20


def test_a_process_killed_while_it_makes_the_file_leaves_one_that_can_be_gone_on_with(path):
    for kill_at in range(1, 12):
        _, code = finished(start(path, f"turn-{kill_at}", kill_at))
        assert code == -signal.SIGKILL
        with pytest.raises(errors.NotFoundError):
            hvsdk.Inventory.open(path).at()
    (number, _), code = finished(start(path, "last"))
    assert (number, code) == ("1", 0)
    assert sound(path, {}) == 1


def test_a_file_that_was_left_half_made_is_told_to_be_so_and_can_be_gone_on_with(fleet, path):
    program = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in ('PRAGMA cache_size = 1', 'BEGIN IMMEDIATE', 'CREATE TABLE snapshot (a)',\n"
        "                  *['INSERT INTO snapshot VALUES (zeroblob(1000000))'] * 3):\n"
        "    connection.execute(statement)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name("inventory.db-journal").exists()
    with pytest.raises(errors.NotFoundError, match="half made"):
        hvsdk.Inventory.open(path)
    fleet.record(path)
    assert len(hvsdk.Inventory.open(path).at()) == 5


def test_an_empty_file_is_an_inventory_in_which_nothing_was_recorded(fleet, path):
    path.touch()
    with pytest.raises(errors.NotFoundError, match="nothing has been recorded"):
        hvsdk.Inventory.open(path)
    fleet.record(path)
    assert len(hvsdk.Inventory.open(path).at()) == 5


def test_a_file_that_is_not_there_is_not_made_by_looking(path):
    with pytest.raises(errors.NotFoundError, match="no inventory"):
        hvsdk.Inventory.open(path)
    assert not path.exists()


def test_processes_that_record_at_once_all_land(path):
    processes = [start(path, f"at-once-{number}") for number in range(4)]
    numbers = []
    for process in processes:
        told, code = finished(process)
        assert code == 0
        numbers.append(int(told[0]))
    assert sorted(numbers) == [1, 2, 3, 4]
    sound(path, {})


def test_threads_that_record_at_once_all_land_in_a_file_that_one_of_them_makes(fleet, tmp_path):
    with ThreadPoolExecutor(6) as pool:
        for turn in range(20):
            path = tmp_path / f"inventory-{turn}.db"
            numbers = [done.id for done in pool.map(lambda _, path=path: fleet.record(path), range(6))]
            assert sorted(numbers) == list(range(1, 7))


def test_what_another_recording_saw_later_stands(path):
    with hvsdk.Fleet({"a": "fake://a?domains=1"}) as fleet:
        world = control(fleet.host("a"))
        fleet.record(path)
        with hvsdk.Fleet({"a": fleet.host("a"), "slow": "fake://slow?fault=list_domains:slow=1.0*1"}) as late:
            answered = threading.Event()
            waiting = threading.Thread(
                target=late.record, args=(path,), kwargs={"progress": lambda *told: answered.set()}
            )
            waiting.start()
            assert answered.wait(20)
            world.rename("web-1", "later")
            fleet.record(path)
            waiting.join()
    inventory = hvsdk.Inventory.open(path)
    assert [one.answered for one in inventory.snapshots()] == [1, 1, 2]
    assert [one.name for one in inventory.at(3, hosts="a")] == ["later"]
    assert inventory.outcomes(3)[0].seen_at == inventory.outcomes(2)[0].seen_at


def test_who_does_not_get_the_file_in_time_is_told_and_writes_nothing(fleet, path):
    fleet.record(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(errors.BusyError, match="another process is writing"):
        fleet.record(path, lock_timeout=0.3)
    assert time.monotonic() - began < 20
    assert len(hvsdk.Inventory.open(path).snapshots()) == 1  # readers do not wait
    other.execute("ROLLBACK")
    other.close()
    assert fleet.record(path).id == 2


@pytest.mark.parametrize("nonsense", [-1, float("nan"), True, "soon"])
def test_a_wait_that_is_no_time_is_refused(fleet, path, nonsense):
    with pytest.raises(errors.InvalidSpecError, match="lock_timeout"):
        fleet.record(path, lock_timeout=nonsense)


def test_a_disk_without_room_is_told_and_nothing_is_lost(path):
    (number, _), code = finished(start(path, "first"))
    assert code == 0
    before = {1: hvsdk.Inventory.open(path).at(int(number)).to_dicts()}
    program = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({os.path.getsize(path) + 8192},) * 2)\n"
    )
    command = [sys.executable, "-c", program + RECORD, str(path), "second", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "OperationFailedError" in done.stderr.splitlines()[-1]
    assert sound(path, before) == 1
    (number, _), code = finished(start(path, "second"))
    assert (number, code) == ("2", 0)
    assert sound(path, before) == 2


def test_a_link_that_leads_to_nothing_makes_a_file_for_its_owner_only(fleet, path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere.db")
    old = os.umask(0)
    try:
        fleet.record(path, lock_timeout=float("inf"))
    finally:
        os.umask(old)
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600
    assert len(hvsdk.Inventory.open(path).at()) == 5


def other_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.commit()
    connection.close()


def later_version(path):
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()


def other_application(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 77")
    connection.close()


def no_database(path):
    path.write_text("[hosts.a]\nurl = 'fake://a'\n" * 100)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (other_database, "something else"),
        (other_application, "something else"),
        (later_version, "later hvsdk"),
        (no_database, "no database at all"),
    ],
)
def test_a_file_that_is_something_else_is_refused_before_a_host_is_asked_and_stays_as_it_was(
    fleet, path, make, message
):
    make(path)
    content = path.read_bytes()
    with pytest.raises(errors.InvalidSpecError, match=message):
        fleet.record(path)
    with pytest.raises(errors.InvalidSpecError, match=message):
        hvsdk.Inventory.open(path)
    assert path.read_bytes() == content
    assert control(fleet.host("a")).calls.get("list_domains", 0) == 0


def test_a_directory_is_told_apart_and_one_that_is_missing_too(fleet, tmp_path):
    with pytest.raises((errors.HvsdkError, OSError)):
        fleet.record(tmp_path)
    with pytest.raises(errors.OperationFailedError):
        hvsdk.Inventory.open(tmp_path)
    with pytest.raises(errors.NotFoundError, match="there is no directory"):
        fleet.record(tmp_path / "nonsuch" / "inventory.db")
    assert control(fleet.host("a")).calls.get("list_domains", 0) == 0


def test_a_damaged_file_is_told_to_be_one(fleet, path):
    fleet.record(path, full=True)
    for number in range(30):
        control(fleet.host("a")).define(f"more-{number}")
    fleet.record(path, full=True)
    size = os.path.getsize(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(errors.OperationFailedError, match="damaged"):
        hvsdk.Inventory.open(path).at()
    with pytest.raises(errors.OperationFailedError, match="damaged"):
        fleet.record(path)


def test_names_that_are_paths_of_nothing_special_to_sqlite(fleet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory", "a#b%20?c.db", "größe.db"):
        fleet.record(name)
        assert len(hvsdk.Inventory.open(name).at()) == 5
        assert (tmp_path / name).exists()
