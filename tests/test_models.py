import copy
import inspect
import json
import pickle
import re
from datetime import UTC, datetime, timedelta

import attrs
import pytest

import hvsdk
from hvsdk import models
from hvsdk.driver import domain_info_maker, read_marks
from hvsdk.enums import PowerState
from hvsdk.errors import NotLoadedError
from hvsdk.models import Address, Console, Disk, DomainInfo, DomainStats, FenceMark, FrozenDict, Lineage, Nic
from hvsdk.models._marks import write_mark

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def summary(**more):
    values = {"native_id": "1", "name": "web-1", "power_state": PowerState.RUNNING, "uuid": "u-1", "seen_at": AT}
    return DomainInfo(**{**values, **more})


def full():
    return summary(
        hypervisor="kvm",
        node="n1",
        vcpus=2,
        memory_bytes=2**30,
        disks=[Disk(id="vda", details={"a": [1, {"b": 2}]})],
        nics=[Nic(id="aa", mac="52:54:00:00:00:01")],
        tags=["b", "a"],
        metadata={"team.owner": "x"},
        details={"kvm.machine": "q35", "deep": {"list": [1, 2]}},
        addresses=[Address(ip="10.0.0.1", source="agent")],
        created_at=AT,
    )


def test_a_field_that_was_not_fetched_says_how_to_get_it():
    info = summary()
    with pytest.raises(
        NotLoadedError, match=r"disks of domain 'web-1' was not loaded.*include=\('config',\)"
    ) as caught:
        _ = info.disks
    assert not isinstance(caught.value, AttributeError)
    with pytest.raises(NotLoadedError, match=r"include=\('guest',\)"):
        _ = info.addresses
    with pytest.raises(NotLoadedError, match=r"refresh\(\)"):
        _ = info.vcpus


def test_a_field_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colour"):
        _ = summary().colour


@pytest.mark.parametrize("make", [summary, full])
def test_nothing_but_reading_raises(make):
    info = make()
    assert repr(info) == "<DomainInfo 'web-1' running>"
    assert info == make()
    assert hash(info) == hash(make())
    assert pickle.loads(pickle.dumps(info)) == info
    assert pickle.loads(pickle.dumps(info)).loaded == info.loaded
    assert copy.copy(info) == info
    assert copy.deepcopy(info) == info
    assert info != object()


def test_repr_escapes_what_a_server_says():
    assert "\x1b" not in repr(summary(name="a\x1b[2Jb\n\u202ec"))
    assert "\u202e" not in repr(summary(name="a\x1b[2Jb\n\u202ec"))


def test_loaded_names_what_is_there():
    always = {"native_id", "name", "power_state", "node", "is_template", "is_control", "seen_at"}
    assert summary().loaded == always | {"uuid"}
    assert not summary().has("config")
    assert not full().has("config")
    assert summary(**dict.fromkeys(models.FIELD_GROUPS["guest"], None) | {"addresses": ()}).has("guest")


def test_none_is_something_else_than_not_loaded():
    info = summary(vcpus=None)
    assert info.vcpus is None
    assert "vcpus" in info.loaded
    assert info != summary()


def test_seen_at_is_left_out_of_equality_and_hash():
    later = summary(seen_at=AT + timedelta(1))
    assert later == summary()
    assert hash(later) == hash(summary())


def test_records_are_frozen():
    info = full()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        info.name = "x"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del info.name
    for change in (
        lambda: info.details.update(a=1),
        lambda: info.details.__setitem__("a", 1),
        lambda: info.details.pop("deep"),
        lambda: info.metadata.clear(),
        lambda: info.details["deep"].setdefault("x", 1),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    assert info.details["deep"]["list"] == (1, 2)


def test_replace_keeps_what_is_not_loaded_so():
    info = summary().replace(name="other", tags=["x"])
    assert info.name == "other"
    assert info.tags == frozenset({"x"})
    assert "disks" not in info.loaded
    with pytest.raises(TypeError, match="no field colour"):
        info.replace(colour="red")


def test_without_drops_a_group():
    info = full().without("guest")
    assert "addresses" not in info.loaded
    assert info.disks == full().disks


def test_to_dict_leaves_out_what_is_not_loaded_and_is_json():
    values = full().to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["tags"] == ["a", "b"]
    assert values["power_state"] == "running"
    assert values["seen_at"] == "2026-01-02T03:04:05+00:00"
    assert values["details"] == {"kvm.machine": "q35", "deep": {"list": [1, 2]}}
    assert "notes" not in values
    assert values.keys() == full().loaded


def test_the_fast_maker_makes_the_same_record():
    make = domain_info_maker("native_id", "name", "power_state", "uuid", "seen_at")
    assert make("1", "web-1", PowerState.RUNNING, "u-1", AT) == summary()
    assert make("1", "web-1", PowerState.RUNNING, "u-1", AT).loaded == summary().loaded


@pytest.mark.parametrize(
    "names",
    [
        ("native_id",),
        ("native_id", "name", "power_state", "seen_at", "colour"),
        ("native_id", "name", "power_state", "seen_at", "name"),
        ("native_id", "name", "power_state", "seen_at", "x): import os #"),
    ],
)
def test_the_fast_maker_refuses_fields_that_do_not_fit(names):
    with pytest.raises(TypeError, match="domain_info_maker"):
        domain_info_maker(*names)


def test_lineage_and_fence_are_read_from_metadata():
    lineage = Lineage(uuid="u-0", hypervisor="xen", host="xenapi://a", at=AT)
    fence = FenceMark(reason="moved", at=AT, autostart=True, links=("a", "b"))
    info = summary(metadata={"hvsdk.moved_from": write_mark(lineage), "hvsdk.fenced": write_mark(fence)})
    assert info.moved_from == lineage
    assert info.fenced == fence
    assert info.superseded_by is None


UNREADABLE = [
    "",
    "{",
    "[]",
    "1",
    "null",
    "{}",
    "[" * 100_000,
    '{"links": 3}',
    '{"reason": "r", "uuid": "u", "at": "yesterday"}',
    '{"reason": {"a": 1}}',
    '{"uuid": ["u"]}',
    '{"uuid": "u", "x": 1}',
    '{"uuid": "u", "at": "0001-01-01T00:00:00+14:00"}',
]


@pytest.mark.parametrize("text", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_mark_that_cannot_be_read_fences_and_is_no_lineage(text):
    marks = read_marks({"hvsdk.fenced": text, "hvsdk.moved_from": text})
    assert isinstance(marks["fenced"], FenceMark)
    assert marks["moved_from"] is None
    assert isinstance(hash(summary(metadata={"hvsdk.fenced": text})), int)


def test_a_frozen_dict_is_a_dict_in_every_other_way():
    mapping = FrozenDict({"a": 1})
    assert mapping == {"a": 1}
    assert repr(mapping) == "{'a': 1}"
    assert json.dumps(mapping) == '{"a": 1}'
    assert type(pickle.loads(pickle.dumps(mapping))) is FrozenDict
    assert copy.deepcopy(mapping) is mapping
    assert dict(mapping) | {"b": 2} == {"a": 1, "b": 2}
    with pytest.raises(TypeError):
        mapping |= {"b": 2}


def test_a_console_shows_its_secrets_only_when_asked():
    console = Console(kind="vnc", password="hunter2", token="t0ken")
    assert "hunter2" not in repr(console)
    assert "t0ken" not in repr(console)
    assert "password" not in console.to_dict()
    assert console.to_dict(secrets=True)["password"] == "hunter2"


def test_rates_come_from_two_readings():
    earlier = DomainStats(native_id="1", at=AT, cpu_seconds=10.0, disk_read_bytes=500, net_rx_bytes=7)
    later = DomainStats(native_id="1", at=AT + timedelta(seconds=2), cpu_seconds=13.0, disk_read_bytes=400)
    rates = later.rate_since(earlier)
    assert rates.cpu_ratio == 1.5
    assert rates.interval_seconds == 2.0
    assert rates.disk_read_bytes_per_second is None, "a counter that went down"
    assert rates.net_rx_bytes_per_second is None, "a counter that is not known"
    for other in (later, DomainStats(native_id="2", at=AT)):
        with pytest.raises(ValueError, match="reading"):
            later.rate_since(other)


def test_a_product_that_tells_rates_has_told_them_already():
    earlier = DomainStats(native_id="1", at=AT, cpu_ratio=0.1, interval_seconds=5.0)
    later = DomainStats(native_id="1", at=AT, cpu_ratio=0.4, disk_read_bytes_per_second=9.0, interval_seconds=5.0)
    assert later.rate_since(earlier) == later  # it samples every few seconds: two looks may see the same sample
    with pytest.raises(ValueError, match="reading"):
        later.rate_since(DomainStats(native_id="2", at=AT))
    nothing = DomainStats(native_id="1", at=AT + timedelta(seconds=2))
    assert nothing.rate_since(earlier).interval_seconds == 2.0


def test_the_list_of_public_records_is_complete():
    for name in models.__all__:
        assert getattr(models, name) is not None
    assert set(models.__all__) <= set(dir(models))
    with pytest.raises(AttributeError):
        _ = models.Nothing


@pytest.mark.parametrize(
    "kind",
    [
        models.DiskSpec,
        models.NicSpec,
        models.CloudInit,
        models.VolumeSpec,
        models.DomainSpec,
        models.Disk,
        models.Nic,
        models.DomainInfo,
    ],
)
def test_help_says_what_each_field_is(kind):
    listed = re.findall(r"^ {4}(\w+): ", inspect.getdoc(kind).partition("Attributes:\n")[2], re.MULTILINE)
    assert listed == [field.alias for field in attrs.fields(kind)]
    assert all("description" in part for part in hvsdk.json_schema(kind)["properties"].values())
