"""The calls of the product's own JSON-RPC samples, sent again, are answered with values of the same shape."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.pool import Pool
from hvsdk_simulators.xapi.schema import NULL
from wire_pool import JsonClient, control, listening
from xapi_reference import fits, model, model_messages, reference

_STRAY = "OpaqueRef:6ef08bce-0bf0-30ff-804f-5f0ee4bbdd13"


_MADE_UP = {"rpc_error_09", "vm_special_value_13"}
"""Samples for readers alone: an error whose code is a text, and values in forms that the product does not write."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening(domains=12, hosts=2, api=(2, 21)) as pool:
        yield pool


@pytest.fixture
def client(pool: Pool) -> JsonClient:
    client = JsonClient(pool)
    client.login()
    return client


def test_every_sample_is_sent_again_but_for_those_that_no_server_answers() -> None:
    names = {name.removeprefix("xapi-24/") for name in reference("xenapi-jsonrpc-samples.json.gz")["samples"]}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in names if f'"{name}"' not in text} == set()
    assert names >= _MADE_UP


def _sample(name: str) -> Any:
    return reference("xenapi-jsonrpc-samples.json.gz")["samples"][f"xapi-24/{name}"]


def _result(name: str, method: str) -> Any:
    return _sample(name)["expected_result"][method]["result"]


def _running(client: JsonClient) -> str:
    return next(
        str(ref)
        for ref, vm in client("VM.get_all_records").items()
        if vm["power_state"] == "Running" and not vm["is_control_domain"]
    )


def _small(client: JsonClient) -> str:
    """A VM that is off, with one disk of 4 MiB."""
    (template,) = client("VM.get_by_name_label", "Debian Bookworm 12")
    vm = str(client("VM.clone", template, "small"))
    asked = f'<provision><disk device="0" size="{4 << 20}" sr="" bootable="true" type="system"/></provision>'
    client("VM.remove_from_other_config", vm, "disks")
    client("VM.add_to_other_config", vm, "disks", asked)
    client("VM.provision", vm)
    return vm


def _outcome(client: JsonClient, task: str) -> Any:
    """Wait for a task, and return its result."""
    token = ""
    while client("task.get_status", task) == "pending":
        token = client("event.from", [f"task/{task}"], token, 5.0)["token"]
    result = client("task.get_result", task)
    assert result, client("task.get_error_info", task)
    (value,), _ = xmlrpc.client.loads(f"<params><param>{result}</param></params>")
    return value


def test_the_login_sample(client: JsonClient) -> None:
    sample = _sample("session_login_01")
    params = sample["params"]["session.login_with_password"]
    session = client.plain("session.login_with_password", "root", "simulated", *params[2:])
    assert isinstance(session, type(_result("session_login_01", "session.login_with_password")))
    client.session = session
    (pool,) = client("pool.get_all")
    record = client("pool.get_record", pool)
    assert _result("session_login_01", "pool.get_record").keys() <= record.keys()
    host = client("host.get_record", record["master"])
    assert _result("session_login_01", "host.get_record").keys() <= host.keys()
    assert client("session.logout") == ""


def test_the_sample_of_all_vms_has_the_fields_that_ours_have(client: JsonClient) -> None:
    theirs = next(iter(_result("vm_get_all_records_02", "VM.get_all_records").values()))
    passing = {
        one["name"] for one in model()["VM"]["fields"] if one["lifecycle"]["state"] in ("Prototyped_s", "Removed_s")
    }
    for ours in client("VM.get_all_records").values():
        assert ours.keys() <= theirs.keys()
        assert theirs.keys() - ours.keys() <= passing
        for name in ours.keys() & theirs.keys():
            assert _same(theirs[name], ours[name]), (name, theirs[name], ours[name])


def test_the_event_sample(client: JsonClient) -> None:
    (theirs,) = _result("event_from_11", "event.from")["events"]
    batch = client.plain("event_from", client.session, ["vm"], "", 600.0)
    assert {"token", "events", "valid_ref_counts"} == batch.keys()
    for ours in batch["events"]:
        assert ours.keys() == theirs.keys()
        assert all(_same(theirs[name], ours[name]) for name in theirs if name != "snapshot")
        assert ours["class"] == "vm"


@pytest.mark.parametrize(
    ("name", "method", "more"),
    [
        ("vm_get_data_sources_06", "VM.get_data_sources", ()),
        ("vm_get_snapshot_time_07", "VM.get_snapshot_time", ()),
        ("vm_query_data_source_08", "VM.query_data_source", ("cpu0",)),
    ],
)
def test_samples_that_ask_about_one_vm(client: JsonClient, name: str, method: str, more: tuple[str, ...]) -> None:
    answer = client(method, _running(client), *more)
    theirs = _result(name, method)
    kind = model_messages()[method]["result"][0]
    assert fits(kind, answer, json_rpc=True) or kind.endswith("record set")
    if isinstance(theirs, list):
        assert all(one.keys() == theirs[0].keys() for one in answer)
        assert all(_same(theirs[0][key], one[key]) for one in answer for key in one)


def test_the_sample_that_needs_a_balancing_server_says_that_there_is_none(client: JsonClient) -> None:
    (method,) = _sample("vm_retrieve_wlb_recommendations_04")["method"]
    assert client.refusal(method, _running(client)) == ["WLB_NOT_INITIALIZED"]


def test_the_samples_of_errors(client: JsonClient) -> None:
    answer = client.post({"jsonrpc": "2.0", "method": "VM.get_record", "params": [client.session, _STRAY], "id": 7})
    theirs = _sample("xapi_error_13")["expected_result"]["VM.get_record"]["error"]
    assert {key: answer["error"][key] for key in ("code", "message")} == {
        key: theirs[key] for key in ("code", "message")
    }
    assert answer["error"]["data"] == ["VM", _STRAY]
    assert (answer["id"], answer["jsonrpc"], "result" in answer) == (7, "2.0", False)
    empty = client.post({"method": "VM.get_record", "params": ["", ""], "id": 8})
    assert empty == {"result": None, "error": ["SESSION_INVALID", ""], "id": 8}


def test_the_http_error_sample(client: JsonClient, pool: Pool) -> None:
    ((method, params),) = _sample("http_error_10")["params"].items()
    control(pool, "POST", "/faults", {"spec": "VM.get_record:http-500:1"})
    with pytest.raises(ValueError, match="Expecting value"):
        client.post({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})


@pytest.mark.parametrize("name", ["vm_import_03", "async_vm_import_12"])
def test_the_samples_of_imports(client: JsonClient, name: str) -> None:
    (method,) = _sample(name)["method"]
    vm = _small(client)
    url = f"http://127.0.0.1:{client.port}/export?session_id={client.session}&ref={vm}"
    sr = client("pool.get_default_SR", client("pool.get_all")[0])
    answer = client(method, url, sr, *_sample(name)["params"][method][3:])
    assert isinstance(answer, type(_result(name, method)))
    if method.startswith("Async."):
        answer = _outcome(client, answer)
    (made,) = answer
    assert client("VM.get_name_label", made) == client("VM.get_name_label", vm)
    assert len(client("VM.get_VBDs", made)) == len(client("VM.get_VBDs", vm))
    client("VM.destroy", made)
    client("VM.destroy", vm)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "nonsense", "http://127.0.0.1:1/x"])
def test_imports_from_where_nothing_is_leave_nothing(client: JsonClient, url: str) -> None:
    before = client("VM.get_all")
    sr = client("pool.get_default_SR", client("pool.get_all")[0])
    assert client.refusal("VM.import", url, sr, False, False)[0] == "INTERNAL_ERROR"
    assert client.refusal("VM.import", url, NULL, False, False)[0] in ("INTERNAL_ERROR", "HANDLE_INVALID")
    assert client("VM.get_all") == before


def test_the_migration_sample(client: JsonClient) -> None:
    vm = _running(client)
    record = client("VM.get_record", vm)
    target = next(ref for ref in client("host.get_all") if ref != record["resident_on"])
    network = client("PIF.get_network", next(ref for ref in client("host.get_PIFs", target)))
    destination = client("host.migrate_receive", target, network, {})
    params = _sample("vm_migrate_send_05")["params"]["VM.migrate_send"]
    assert len(params) == 1 + len(model_messages()["VM.migrate_send"]["params"]) - 1
    vdi_map = {
        client("VBD.get_VDI", vbd): client("pool.get_default_SR", client("pool.get_all")[0])
        for vbd in record["VBDs"]
        if not client("VBD.get_empty", vbd)
    }
    try:
        moved = client("VM.migrate_send", vm, destination, True, vdi_map, {}, {}, {}, {})
    except Failure as failure:
        raise AssertionError(failure.details) from failure
    assert moved == vm
    assert client("VM.get_resident_on", vm) == target


def _same(theirs: Any, ours: Any) -> bool:
    """Whether two values are of the same sort."""
    if isinstance(theirs, bool) or isinstance(ours, bool):
        return isinstance(theirs, bool) and isinstance(ours, bool)
    if isinstance(theirs, (int, float)):
        return isinstance(ours, (int, float))
    return isinstance(ours, type(theirs))
