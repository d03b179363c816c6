"""Every record of every class has the fields and the types that the real product's data model gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.database import NULL
from hvsdk_simulators.xapi.endpoint import JSON_SINCE
from hvsdk_simulators.xapi.schema import SCHEMA, Api
from wire_pool import Client, JsonClient, listening
from xapi_reference import faults_of, fits, model

APIS: tuple[Api, ...] = ((2, 0), (2, 15), (2, 23))
CASES = [(api, kind) for api in APIS for kind in (Client, JsonClient) if kind is Client or api >= JSON_SINCE]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0][0]}.{case[0][1]}-{case[1].__name__}")
def case(request: Any) -> Iterator[tuple[Any, Api, type[Client]]]:
    model()
    api, kind = request.param
    with listening(api=api, domains=12, hosts=3) as pool:
        yield pool, api, kind


@pytest.fixture
def world(case: tuple[Any, Api, type[Client]]) -> tuple[Any, Api]:
    return case[:2]


@pytest.fixture
def client(case: tuple[Any, Api, type[Client]]) -> Client:
    client = case[2](case[0])
    client.login()
    return client


def _listed(api: Api) -> list[str]:
    return [name for name, cls in SCHEMA.items() if cls.exists_at(api) and "get_all_records" in cls.implicit]


def test_all_records_of_the_pool_are_as_the_model_says(client: Client, world: tuple[Any, Api]) -> None:
    api = world[1]
    wrong: set[str] = set()
    for cls in _listed(api):
        for ref, record in client(f"{cls}.get_all_records").items():
            assert ref.startswith("OpaqueRef:"), ref
            wrong.update(faults_of(cls, record, api, json_rpc=client.json_rpc))
    assert sorted(wrong) == []


def test_objects_of_which_the_pool_has_none_are_as_the_model_says(client: Client, world: tuple[Any, Api]) -> None:
    pool, api = world
    wrong: list[str] = []
    for cls in _listed(api):
        with pool.world.lock:
            if pool.world.db.count(cls):
                continue
            made = pool.world.db.create(cls)
        try:
            wrong += faults_of(cls, client(f"{cls}.get_record", made.ref), api, json_rpc=client.json_rpc)
        finally:
            with pool.world.lock:
                pool.world.db.delete(made)
    assert wrong == []


def test_records_of_events_are_as_the_model_says(client: Client, world: tuple[Any, Api]) -> None:
    names = {cls.lower(): cls for cls in SCHEMA}
    wrong: set[str] = set()
    answer = client("event.from", ["*"], "", 0.0)
    assert {"VM", "host", "SR", "task"} - {names[event["class"]] for event in answer["events"]} <= {"task"}
    for event in answer["events"]:
        cls = names[event["class"]]
        wrong.update(faults_of(cls, event["snapshot"], world[1], json_rpc=client.json_rpc))
        for one in model()["event"]["fields"]:
            if one["name"] != "snapshot":
                assert fits(one["type"], event[one["name"]], json_rpc=client.json_rpc), (one["name"], event)
    assert sorted(wrong) == []
    assert fits("(string -> int) map", answer["valid_ref_counts"], json_rpc=client.json_rpc)


def test_the_session_and_its_task_are_as_the_model_says(client: Client, world: tuple[Any, Api]) -> None:
    record = client("session.get_record", client.session)
    assert faults_of("session", record, world[1], json_rpc=client.json_rpc) == []
    task = client("task.create", "label", "description")
    assert faults_of("task", client("task.get_record", task), world[1], json_rpc=client.json_rpc) == []
    client("task.destroy", task)


def test_getters_tell_what_the_record_tells(client: Client, world: tuple[Any, Api]) -> None:
    vm, record = next((ref, one) for ref, one in client("VM.get_all_records").items() if not one["is_a_template"])
    for name, value in record.items():
        if name not in ("last_booted_record", "allowed_operations", "current_operations"):
            assert client(f"VM.get_{name}", vm) == value, name


def test_references_lead_to_objects_or_nowhere_on_purpose(world: tuple[Any, Api]) -> None:
    pool, api = world
    with pool.world.lock:
        for cls in _listed(api):
            for obj in pool.world.db.all(cls):
                for one in SCHEMA[cls].fields_at(api):
                    kind = one.kind.item if one.kind.name == "set" else one.kind
                    if kind is None or kind.name != "ref":
                        continue
                    value = obj[one.name]
                    for ref in value if isinstance(value, list) else [value]:
                        known = ref == NULL or pool.world.db.lookup(kind.target, ref) is not None
                        assert known, f"{obj!r}.{one.name} names {ref}, which is no {kind.target}"
