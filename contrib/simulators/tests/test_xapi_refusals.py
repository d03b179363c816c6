"""Calls that are wrong are refused with the product's codes and parameters, by every envelope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.dispatch import Dispatcher
from hvsdk_simulators.xapi.messages import Message
from hvsdk_simulators.xapi.pool import Pool
from hvsdk_simulators.xapi.schema import NULL, Kind
from wire_pool import Client, JsonClient, JsonOneClient, listening
from xapi_reference import errors

_STRAY = "OpaqueRef:00000000-0000-4000-8000-000000000000"
_STRAY_UUID = "00000000-0000-4000-8000-000000000000"
_VALUES: dict[str, Any] = {"string": "text", "int": "1", "float": 1.0, "bool": True}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening(domains=3, api=(2, 23)) as pool:
        yield pool


@pytest.fixture(params=[Client, JsonClient, JsonOneClient], ids=["xml", "json-2.0", "json-1.0"])
def client(request: Any, pool: Pool) -> Iterator[Client]:
    client: Client = request.param(pool)
    client.login()
    with client.keeping():
        yield client


@pytest.fixture
def messages(pool: Pool) -> dict[str, Message]:
    return Dispatcher(pool.world).messages


def test_one_parameter_too_few_or_too_many_is_counted(client: Client, messages: dict[str, Message]) -> None:
    for name, one in messages.items():
        if not one.session:
            continue
        least, most = sum(param.required for param in one.params), len(one.params)
        for given in (least - 1, most + 1):
            if given >= 0:
                expected = ["MESSAGE_PARAMETER_COUNT_MISMATCH", name, str(least), str(given)]
                assert client.refusal(name, *["x"] * given) == expected


def test_a_call_without_its_session_is_counted(client: Client) -> None:
    code, method, *numbers = client.plain_refusal("VM.get_all")
    assert (code, method, len(numbers)) == ("MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", 2)


@pytest.mark.parametrize(
    "method", ["VM.invent", "Invented.get_all", "nonsense", "Async.VM.invent", "Async.VM.get_record", "VM.get_record.x"]
)
def test_unknown_methods_are_named(client: Client, method: str) -> None:
    assert client.refusal(method, NULL) == ["MESSAGE_METHOD_UNKNOWN", method]


def test_messages_that_are_gone_say_so(client: Client) -> None:
    assert client.refusal("VM.snapshot_with_quiesce", NULL, "name") == ["MESSAGE_REMOVED"]


@pytest.mark.parametrize("ref", [_STRAY, NULL, "", "no reference", "OpaqueRef:<&>\"'"])
def test_every_class_refuses_references_that_are_none_of_its_own(
    client: Client, messages: dict[str, Message], ref: str
) -> None:
    for name, one in messages.items():
        if one.name == "get_record" and one.params[0].kind == Kind("ref", one.cls):
            assert client.refusal(name, ref) == ["HANDLE_INVALID", one.cls, ref]


def test_a_reference_of_another_class_is_invalid(client: Client, pool: Pool) -> None:
    host = pool.world.master.ref
    assert client.refusal("VM.get_record", host) == ["HANDLE_INVALID", "VM", host]


def test_verbs_refuse_bad_references_before_anything_happens(client: Client, messages: dict[str, Message]) -> None:
    for name, one in messages.items():
        own = bool(one.params) and one.params[0].kind == Kind("ref", one.cls)
        if own and one.session and one.name not in ("get_record",) and all(_simple(param.kind) for param in one.params):
            rest = [_VALUES.get(param.kind.name, NULL) for param in one.params[1:] if param.required]
            assert client.refusal(name, _STRAY, *rest) == ["HANDLE_INVALID", one.cls, _STRAY], name


def test_every_class_refuses_uuids_that_nothing_has(client: Client, messages: dict[str, Message]) -> None:
    for name, one in messages.items():
        if one.name == "get_by_uuid":
            assert client.refusal(name, _STRAY_UUID) == ["UUID_INVALID", one.cls, _STRAY_UUID]
            assert client.refusal(name, "") == ["UUID_INVALID", one.cls, ""]


def test_dead_sessions_are_refused_by_every_message(client: Client, messages: dict[str, Message]) -> None:
    for name, one in messages.items():
        if one.session and not one.params:
            assert client.plain_refusal(name, _STRAY) == ["SESSION_INVALID", _STRAY]
    client("session.logout")
    assert client.refusal("VM.get_all") == ["SESSION_INVALID", client.session]


def test_values_of_the_wrong_type_are_named(client: Client, pool: Pool) -> None:
    vm = client("VM.get_all")[0]
    assert client.refusal("VM.set_name_label", vm, ["list"]) == ["FIELD_TYPE_ERROR", "value"]
    assert client.refusal("VM.set_tags", vm, "text") == ["FIELD_TYPE_ERROR", "value"]
    assert client.refusal("VM.set_other_config", vm, ["list"]) == ["FIELD_TYPE_ERROR", "value"]
    assert client.refusal("VM.start", vm, "yes", False) == ["FIELD_TYPE_ERROR", "start_paused"]


def test_a_key_that_is_there_already_is_refused_with_where_it_is(client: Client) -> None:
    for cls in ("VM", "SR", "task"):
        ref = client("task.create", "a", "b") if cls == "task" else client(f"{cls}.get_all")[0]
        uuid = client(f"{cls}.get_uuid", ref)
        client(f"{cls}.remove_from_other_config", ref, "key")
        client(f"{cls}.add_to_other_config", ref, "key", "value")
        details = client.refusal(f"{cls}.add_to_other_config", ref, "key", "value")
        assert details == ["MAP_DUPLICATE_KEY", cls, "other_config", uuid, "key"]


def test_refusals_have_as_many_parameters_as_the_product_documents(client: Client) -> None:
    known = errors()
    for details in (
        client.refusal("VM.get_record", _STRAY),
        client.refusal("VM.get_by_uuid", _STRAY_UUID),
        client.refusal("VM.invent"),
        client.refusal("VM.get_all", "more"),
        client.plain_refusal("VM.get_all", _STRAY),
        client.refusal("event.from", ["*"], "no token", 0.0),
        client.refusal("event.next"),
        client.refusal("session.change_password", "simulated", ""),
    ):
        assert len(details) == 1 + len(known[details[0]]), details


def test_names_with_an_underscore_mean_the_same(client: Client, messages: dict[str, Message]) -> None:
    assert client("VM_get_all") == client("VM.get_all")
    assert client("event_from", [], "", 0.0)["events"] == []
    assert client("host_metrics_get_all") == client("host_metrics.get_all")
    assert client.refusal("VM_get_record", _STRAY) == ["HANDLE_INVALID", "VM", _STRAY]
    assert client.refusal("Async.VM_start", _STRAY, False, False) == ["HANDLE_INVALID", "VM", _STRAY]


def test_list_methods_needs_no_session_and_names_everything(client: Client, messages: dict[str, Message]) -> None:
    listed = client.plain("system.listMethods")
    assert set(messages) <= set(listed)
    assert len(listed) == len(set(listed))


def test_a_slave_names_its_master(pool: Pool, client: Client) -> None:
    other = type(client)(pool, member=1)
    address = pool.world.master["address"]
    assert other.plain_refusal("session.login_with_password", "root", "simulated") == ["HOST_IS_SLAVE", address]
    other.session = client.session
    assert other.refusal("VM.get_all") == ["HOST_IS_SLAVE", address]


def _simple(kind: Kind) -> bool:
    return kind.name in _VALUES or kind.name == "ref"
