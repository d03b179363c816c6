"""Calls as they are written on the wire: both envelopes, values of each type, expressions, PyPI's XenAPI."""

from __future__ import annotations

import json
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import XenAPI
from hvsdk_simulators.xapi.arguments import read, resolve
from hvsdk_simulators.xapi.encoding import JSON, XML
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.pool import Pool
from hvsdk_simulators.xapi.query import matcher
from hvsdk_simulators.xapi.rpc import UnreadableError, read_json, read_xml
from hvsdk_simulators.xapi.schema import NULL, kind_of
from hvsdk_simulators.xapi.world import Options, World
from wire_pool import Client, JsonClient, JsonOneClient, listening

ODD = "<b>&amp;</b> ünïcode 虚拟机 ✓ \"'\t]]>"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening(domains=30) as pool:
        yield pool


@pytest.fixture(params=[Client, JsonClient, JsonOneClient])
def client(pool: Pool, request: pytest.FixtureRequest) -> Client:
    made: Client = request.param(pool)
    made.login()
    return made


@pytest.fixture
def world() -> World:
    return World(Options())


def a_vm(client: Client) -> str:
    """A VM that is off."""
    records = client("VM.get_all_records").items()
    return next(str(ref) for ref, one in records if one["power_state"] == "Halted" and not one["is_a_template"])


@contextmanager
def official(pool: Pool) -> Iterator[Any]:
    session = XenAPI.Session(f"http://127.0.0.1:{Client(pool).port}")
    try:
        yield session
    finally:
        session("close")()


# ---- PyPI's XenAPI ---------------------------------------------------------------------------------------------


def test_the_official_client_logs_in_lists_and_logs_out(pool: Pool) -> None:
    with official(pool) as session:
        session.xenapi.login_with_password("root", "simulated", "1.0", "tests")
        ref = session._session
        records = session.xenapi.VM.get_all_records().items()
        (found,) = session.xenapi.VM.get_by_name_label("web-00001")
        assert [one for one, record in records if record["name_label"] == "web-00001"] == [found]
        session.xenapi.session.logout()
    with pytest.raises(Failure) as failed:
        Client(pool).plain("VM.get_all", ref)
    assert failed.value.details == ["SESSION_INVALID", ref]


def test_the_official_client_raises_the_failure_of_a_bad_password(pool: Pool) -> None:
    with official(pool) as session, pytest.raises(XenAPI.Failure) as failed:
        session.xenapi.login_with_password("root", "wrong")
    assert failed.value.details[:2] == ["SESSION_AUTHENTICATION_FAILED", "root"]


# ---- envelopes -------------------------------------------------------------------------------------------------


def test_answers_of_both_versions_of_json_rpc_have_their_own_members(pool: Pool) -> None:
    client = JsonClient(pool)
    session = client.login()
    one, two = {"id": "a"}, {"id": 7, "jsonrpc": "2.0"}
    bad, good = {"method": "VM.nothing", "params": []}, {"method": "pool.get_all", "params": [session]}
    pools = client("pool.get_all")
    assert client.post(good | one) == {"result": pools, "error": None, "id": "a"}
    assert client.post(good | two) == {"jsonrpc": "2.0", "result": pools, "id": 7}
    assert client.post(bad | one) == {"result": None, "error": ["MESSAGE_METHOD_UNKNOWN", "VM.nothing"], "id": "a"}
    assert client.post(bad | two) == {
        "jsonrpc": "2.0",
        "error": {"code": 1, "message": "MESSAGE_METHOD_UNKNOWN", "data": ["VM.nothing"]},
        "id": 7,
    }


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc", "/any/other"])
def test_xml_rpc_is_spoken_at_every_path_but_those_of_json(pool: Pool, path: str) -> None:
    client = Client(pool)
    client.path = path
    client.login()
    assert client("pool.get_all") == [pool.world.pool.ref]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"params": [], "id": 1}',
        b'{"method": "VM.get_all", "params": {}, "id": 1}',
        b'{"method": "VM.get_all", "params": [], "id": null}',
        b'{"method": "VM.get_all", "params": []}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_call_of_json_rpc_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<methodCall/>",
        b"<methodResponse><params/></methodResponse>",
        b"<methodCall><methodName>a</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
    ],
)
def test_what_is_no_call_of_xml_rpc_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_xml(body)


# ---- values ----------------------------------------------------------------------------------------------------

_VALUES = [
    ("string", ODD, ODD, ODD),
    ("int", 1 << 40, str(1 << 40), 1 << 40),
    ("float", 2, 2.0, 2.0),
    ("bool", True, True, True),
    ("void", None, "", ""),
    ("datetime", datetime(2024, 4, 20, 12, tzinfo=UTC), "20240420T12:00:00Z", "20240420T12:00:00Z"),
    ("enum vm_power_state", "Halted", "Halted", "Halted"),
    ("VM ref", NULL, NULL, NULL),
    ("int set", [1, 2], ["1", "2"], [1, 2]),
    ("(int -> float) map", {3: 1.5}, {"3": 1.5}, {"3": 1.5}),
    ("(string -> string set) map", {ODD: []}, {ODD: []}, {ODD: []}),
    ("string option", None, "", None),
    ("data_source record", {"enabled": True, "max": 1}, {"enabled": True, "max": 1.0}, {"enabled": True, "max": 1.0}),
]


@pytest.mark.parametrize(("kind", "value", "in_xml", "in_json"), _VALUES)
def test_values_are_written_as_their_type_demands(
    world: World, kind: str, value: Any, in_xml: Any, in_json: Any
) -> None:
    text = XML.text(world, kind_of(kind), value).decode()
    (read,), _ = xmlrpc.client.loads(f"<params><param>{text}</param></params>")
    assert (read.value if isinstance(read, xmlrpc.client.DateTime) else read) == in_xml
    assert json.loads(JSON.text(world, kind_of(kind), value)) == in_json


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("int", "-7", -7),
        ("int", 7, 7),
        ("float", 0.5, 0.5),
        ("datetime", "20240420T12:00:00Z", datetime(2024, 4, 20, 12, tzinfo=UTC)),
        ("datetime", xmlrpc.client.DateTime("2024-04-20T12:00:00Z"), datetime(2024, 4, 20, 12, tzinfo=UTC)),
        ("(int -> string) map", {"1": "a"}, {1: "a"}),
        ("VM record", {"name_label": "a", "order": "5", "unheard_of": 1}, {"name_label": "a", "order": 5}),
    ],
)  # fmt: skip
def test_arguments_are_read_as_their_type_says(world: World, kind: str, given: Any, value: Any) -> None:
    assert read(world, kind_of(kind), given, "value") == value


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("int", "seven", "value"),
        ("int", True, "value"),
        ("int", str(1 << 63), "value"),
        ("float", "1.5", "value"),
        ("float", True, "value"),
        ("bool", 1, "value"),
        ("bool", "true", "value"),
        ("string", 5, "value"),
        ("datetime", "20241320T12:00:00Z", "value"),
        ("datetime", "yesterday", "value"),
        ("enum vm_power_state", "running", "value"),
        ("string set", "a", "value"),
        ("string set", ["a", 1], "value"),
        ("(string -> string) map", ["a"], "value"),
        ("VM ref", None, "value"),
        ("VM record", {"memory_static_max": "much"}, "memory_static_max"),
    ],
)
def test_arguments_of_another_type_are_refused_by_name(world: World, kind: str, given: Any, field: str) -> None:
    with pytest.raises(Failure) as failed:
        read(world, kind_of(kind), given, "value")
    assert failed.value.details == ["FIELD_TYPE_ERROR", field]


def test_a_float_without_a_point_is_one_in_json_alone(world: World) -> None:
    assert read(world, kind_of("float"), 5, "timeout") == 5.0
    with pytest.raises(Failure):
        read(world, kind_of("float"), 5, "timeout", exact=True)


def test_references_become_objects_within_sets_and_maps_too(world: World) -> None:
    network = world.db.create("network", name_label="a")
    kind = kind_of("(network ref -> network ref set) map")
    assert resolve(world, kind, {network.ref: [network.ref, NULL]}) == {network: [network, None]}
    with pytest.raises(Failure) as failed:
        resolve(world, kind, {network.ref: ["OpaqueRef:x"]})
    assert failed.value.details == ["HANDLE_INVALID", "network", "OpaqueRef:x"]


# ---- messages that follow from the schema ----------------------------------------------------------------------


def test_texts_of_any_kind_come_back_as_they_were(client: Client) -> None:
    vm = a_vm(client)
    client("VM.set_name_description", vm, ODD)
    assert client("VM.get_name_description", vm) == ODD
    assert client("VM.get_record", vm)["name_description"] == ODD


def test_sets_and_maps_grow_and_shrink_by_one(client: Client) -> None:
    vm = a_vm(client)
    client("VM.set_tags", vm, [])
    client("VM.add_tags", vm, "a")
    client("VM.add_tags", vm, "a")
    assert client("VM.get_tags", vm) == ["a"]
    client("VM.remove_tags", vm, "a")
    client("VM.remove_tags", vm, "a")
    assert client("VM.get_tags", vm) == []
    client("VM.set_xenstore_data", vm, {})
    client("VM.add_to_xenstore_data", vm, "vm-data/a", "1")
    assert client.refusal("VM.add_to_xenstore_data", vm, "vm-data/a", "2") == [
        "MAP_DUPLICATE_KEY", "VM", "xenstore_data", client("VM.get_uuid", vm), "vm-data/a",
    ]  # fmt: skip
    client("VM.remove_from_xenstore_data", vm, "vm-data/a")
    assert client("VM.get_xenstore_data", vm) == {}


def test_a_record_is_anew_after_each_change(client: Client) -> None:
    vm = a_vm(client)
    for text in ("one", "two"):
        client("VM.set_name_description", vm, text)
        assert client("VM.get_all_records")[vm]["name_description"] == text


def test_records_are_chosen_by_an_expression(client: Client) -> None:
    found = client("VM.get_all_records_where", 'field "name__label" = "twin" and not field "is_a_template" = "true"')
    assert len(found) == 2
    assert {one["name_label"] for one in found.values()} == {"twin"}
    assert client("VM.get_all_records_where", "true") == client("VM.get_all_records")
    assert client.refusal("VM.get_all_records_where", "name is twin") == ["INVALID_VALUE", "expr", "name is twin"]


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("true", True),
        ("false", False),
        ("not false", True),
        ('"a" = "a"', True),
        ("field 'name_label' = \"it's\"", True),
        ('field "name__label" = "it" or field "MTU" = "1500"', True),
        ('(field "name_label" = "it" or true) and false', False),
        ('not (field "managed" = "true") or false', False),
        ('field "unheard_of" = ""', True),
    ],
)
def test_expressions_mean_what_they_say(world: World, expression: str, fits: bool) -> None:
    network = world.db.create("network", name_label="it's", MTU=1500, managed=True)
    assert matcher(expression)(world, network) is fits


@pytest.mark.parametrize("expression", ["", "(true", "true true", "field name", "and", '"a" =', "true)", 'field = "a"'])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(Failure) as failed:
        matcher(expression)
    assert failed.value.details == ["INVALID_VALUE", "expr", expression]
