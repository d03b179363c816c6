"""What is kept of a domain: all of it, the same for equal records, and nothing secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

import hvsdk
from hvsdk import errors, models
from hvsdk._inventory.content import decode, differ_by_the_clock_alone, digest, encode
from hvsdk._inventory.recording import HostAnswer, Recording
from hvsdk._inventory.records import HostOutcome
from hvsdk._inventory.texts import kept, told

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
SECRET = "hidden/5f2c & more"
HOSTILE = [
    "=1+1",
    "'; DROP TABLE domain; --",
    '"',
    "a\0b",
    "\ud800",
    "\ud800\0",
    "\\ud800",
    "名前",
    "\x1b[31m",
    "x" * 100_000,
    " ",
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inventory.db"


def domain(**more):
    return models.DomainInfo(**{"native_id": "1", "name": "web", "power_state": "running", "seen_at": AT, **more})


def full():
    return domain(
        power_state=models.PowerState.PAUSED,
        uuid="c0ffee00-0000-4000-8000-000000000001",
        hypervisor="kvm",
        node="n1",
        vcpus=2,
        memory_bytes=2**40,
        folder="/a",
        max_vcpus=None,
        cpu_topology=models.CpuTopology(sockets=1, cores=2),
        max_memory_bytes=2**41,
        disks=[models.Disk(id="vda", capacity_bytes=5, details={"a": [1, None, {"b": True}], "c": 1.5})],
        nics=[models.Nic(id="n", mac="52:54:00:00:00:01", link_up=True)],
        firmware="uefi",
        secure_boot=False,
        virtualization="hvm",
        autostart=True,
        tags=["b", "a"],
        notes="line\nline",
        metadata={"team.owner": "x", "hvsdk.fenced": '{"reason": "moved", "links": ["a"]}'},
        moved_from=models.Lineage(uuid="u", at=AT),
        created_at=AT,
        started_at=None,
        details={"kvm.machine": "q35", "kvm.list": [{"x": [1]}]},
        addresses=[models.Address(ip="::1", source="lease")],
        guest_hostname="h",
        guest_os=None,
        agent="running",
    )


def written(path, *infos, host="h", ok=True):
    outcome = HostOutcome(host=host, url="fake://h", ok=ok, seen_at=datetime.now(UTC))
    return Recording(path, wait=5).write([HostAnswer(outcome, list(infos))])


@pytest.mark.parametrize("info", [domain(), full(), full().without("guest"), full().without("config")])
def test_a_record_comes_back_as_it_was(info):
    back = decode(encode(info), AT)
    assert back == info
    assert back.loaded == info.loaded
    assert back.seen_at == AT
    assert json.loads(encode(info)) == {k: v for k, v in info.to_dict().items() if k != "seen_at"}


def test_the_text_is_the_same_whatever_the_order_of_mappings_is_and_whenever_it_was_seen():
    one = domain(details={"a": 1, "b": {"c": 1, "d": 2}}, tags=["x", "y", "z"])
    other = domain(details={"b": {"d": 2, "c": 1}, "a": 1}, tags=["z", "y", "x"], seen_at=datetime.now(UTC))
    assert encode(one) == encode(other)
    assert digest(encode(one)) != digest(encode(domain()))


def test_what_a_disk_takes_in_its_pool_is_no_change():
    disks = [[models.Disk(id="vda", allocated_bytes=size)] for size in (1, 2)]
    assert encode(domain(disks=disks[0])) == encode(domain(disks=disks[1]))
    grown = [models.Disk(id="vda", capacity_bytes=9)]
    assert encode(domain(disks=grown)) != encode(domain(disks=disks[0]))


def test_a_start_that_is_told_a_little_otherwise_is_no_change():
    def started(seconds: float, **more) -> str:
        return encode(domain(started_at=AT + timedelta(seconds=seconds), **more))

    assert differ_by_the_clock_alone(started(0), started(0.000057))
    assert differ_by_the_clock_alone(started(0), started(-4))
    assert not differ_by_the_clock_alone(started(0), started(6))
    assert not differ_by_the_clock_alone(started(0), started(1, notes="other"))
    assert not differ_by_the_clock_alone(started(0), encode(domain()))
    assert not differ_by_the_clock_alone(encode(domain(notes='"started_at":"x"')), encode(domain(notes="x")))


def test_fields_and_states_of_a_later_version_do_no_harm():
    values = json.loads(encode(full())) | {"warp": 9, "power_state": "warped"}
    values["disks"][0]["flux"] = 1
    back = decode(json.dumps(values), AT)
    assert back.power_state == "unknown"
    assert back.disks == full().disks


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_kept_as_they_are(path, text):
    written(path, domain(native_id=text, name=text, uuid=text, notes=text, tags=[text]), host=text)
    written(path, domain(native_id=text, name=text, uuid=text, notes=text, tags=[text], vcpus=2), host=text)
    inventory = hvsdk.Inventory.open(path)
    (found,) = inventory.at()
    assert (found.host, found.native_id, found.name, found.info.notes) == (text, text, text, text)
    assert [one.kind for one in inventory.diff(1, 2)] == []
    assert [one.name for one in inventory.history(text)] == [text]
    assert repr(inventory.at())


def test_texts_that_differ_stay_apart():
    assert len({kept(text) for text in HOSTILE}) == len(HOSTILE)
    assert [told(kept(text)) for text in HOSTILE] == HOSTILE


def test_a_domain_that_a_host_tells_twice_is_one(path):
    assert written(path, domain(), domain(name="again")).domains == 1
    assert [one.name for one in hvsdk.Inventory.open(path).at()] == ["again"]


def test_no_secret_is_in_the_file(path, monkeypatch):
    monkeypatch.setenv("HVSDK_INVENTORY_SECRET", SECRET)
    hosts = {
        "slip": {"url": "fake://slip", "password": SECRET, "domains": SECRET},
        "refused": {"url": "fake://root@refused?login_password=x", "password": SECRET},
        "named": {"url": "fake://root@named?login_password=x", "secret": "env:HVSDK_INVENTORY_SECRET"},
        "in-url": "fake://root:hidden%2f5f2c%20&%20more@in-url?login_password=x",
        "fine": {"url": "fake://root@fine?domains=1", "password": SECRET},
    }
    with hvsdk.Fleet(hosts) as fleet:
        snapshot = fleet.record(path)
    assert [one.host for one in snapshot.failures][:1] == ["slip"]
    assert "***" in snapshot.failures[0].error
    assert all("root" not in one.url for one in hvsdk.Inventory.open(path).outcomes())
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for spelling in (SECRET, "5f2c"):
        assert spelling.encode() not in content


def test_an_error_of_a_whole_page_is_cut(path):
    with hvsdk.Fleet({"long": {"url": "fake://long", "domains": "x" * 10_000}}) as fleet:
        (failure,) = fleet.record(path).failures
    assert len(failure.error) <= 2_000
    assert isinstance(failure.seconds, float)


def test_a_bug_is_raised_and_not_recorded(path):
    class Bug(Exception):
        pass

    def wrong(*told):
        raise Bug

    with hvsdk.Fleet({"a": "fake://a"}) as fleet, pytest.raises(Bug):
        fleet.record(path, progress=wrong)
    assert not path.exists()
    with hvsdk.Fleet({"a": "fake://a"}) as fleet, pytest.raises(errors.InvalidSpecError, match="field group"):
        fleet.record(path, include=["hardware"])
