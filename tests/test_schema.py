import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from jsonschema import Draft202012Validator, ValidationError

from hvsdk import models
from hvsdk._event import Event
from hvsdk._schema import json_schema
from hvsdk.enums import EventKind, PowerState

ROOT = Path(__file__).resolve().parents[1]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOST = SimpleNamespace(url="fake://demo")


def writer():
    spec = importlib.util.spec_from_file_location("write_schemas", ROOT / "contrib" / "docs" / "write_schemas.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def domain(**more):
    return models.DomainInfo(native_id="1", name="web-1", power_state=PowerState.RUNNING, **more)


def full_domain():
    return domain(
        uuid=None,
        hypervisor="kvm",
        vcpus=2,
        memory_bytes=2**30,
        folder=None,
        max_vcpus=4,
        cpu_topology=models.CpuTopology(sockets=1, cores=2),
        max_memory_bytes=2**31,
        disks=[models.Disk(id="vda", details={"a": [1, None, {"b": True}]})],
        nics=[models.Nic(id="aa", mac="52:54:00:00:00:01", link_up=True)],
        firmware="uefi",
        secure_boot=False,
        virtualization="hvm",
        autostart=True,
        tags=["a"],
        notes="n",
        metadata={"k": "v"},
        created_at=AT,
        started_at=None,
        details={"kvm.machine": "q35"},
        addresses=[models.Address(ip="::1", source="lease")],
        guest_hostname="h",
        guest_os=None,
        agent="running",
    )


def step(kind, before, after):
    return Event(host=HOST, kind=kind, before=before, after=after, at=AT)


RECORDS = [
    domain(),
    full_domain(),
    full_domain().without("config"),
    models.DomainStats(native_id="1", at=AT, cpu_seconds=1.5, disk_read_bytes=3),
    models.HostInfo(product="QEMU", clock=AT, details={"x": {"y": [1]}}),
    models.Node(id="1", name="n", state="up", cpus=4),
    models.Network(id="1", name="default", active=True),
    models.StoragePoolInfo(id="1", name="p", capacity_bytes=5),
    models.VolumeInfo(id="1", name="v", pool="p"),
    models.SnapshotInfo(id="1", name="s", created_at=AT, has_memory=True),
    models.Console(kind="vnc", port=5900, password="x", expires_at=AT),
    models.Applied(live=frozenset({"vcpus"})),
    models.Extent(offset=0, length=4096, zero=True),
    models.Lineage(uuid="u", at=AT),
    models.FenceMark(reason="r", links=("a",)),
    models.DiskSpec(size="1GiB"),
    models.NicSpec(mac="52:54:00:00:00:01", hints={"fake.a": 1}),
    models.VolumeSpec(name="v", size=1),
    models.DomainSpec(
        name="x",
        memory="1GiB",
        clock=3600,
        disks=[models.DiskSpec(size=1)],
        nics=[models.NicSpec()],
        cloud_init=models.CloudInit(user_data="#cloud-config"),
    ),
    models.Changes(vcpus=2, cpu_topology=models.CpuTopology(sockets=2, cores=1)),
    step(EventKind.DEFINED, None, domain()),
    step(EventKind.CHANGED, domain(), full_domain()),
    step(EventKind.HOST_LOST, None, None),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_records_say_is_what_their_schema_says(record):
    schema = json_schema(type(record))
    Draft202012Validator.check_schema(schema)
    checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    values = json.loads(json.dumps(record.to_dict()))
    checker.validate(values)
    assert values.keys() <= schema["properties"].keys()
    for name in schema["required"]:
        with pytest.raises(ValidationError):
            checker.validate({key: value for key, value in values.items() if key != name})


def test_every_field_of_every_record_is_in_its_schema():
    for cls in writer().record_classes():
        schema = json_schema(cls)
        assert set(schema["properties"]) == {field.name for field in attrs.fields(cls)}
        assert schema["description"]


def test_a_schema_holds_to_types():
    checker = Draft202012Validator(json_schema(models.DomainInfo))
    for wrong in ({"vcpus": "2"}, {"power_state": "on"}, {"disks": [{"id": 1}]}, {"tags": ["a", "a"]}, {"name": None}):
        assert not checker.is_valid({**domain().to_dict(), **wrong})


def test_secrets_of_a_console_are_optional():
    assert not {"password", "token"} & set(json_schema(models.Console)["required"])


def test_fields_carry_their_documentation():
    assert json_schema(models.DomainInfo)["properties"]["memory_bytes"] == {
        "description": "What it boots with.",
        "type": ["integer", "null"],
    }


def test_the_published_schemas_are_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["write_schemas.py", "--check"])
    assert writer().main() == 0, "run contrib/docs/write_schemas.py"
