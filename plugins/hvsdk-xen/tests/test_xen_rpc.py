"""Calls as they go over the wire, and answers that make no sense."""

from __future__ import annotations

import json
import xmlrpc.client
from datetime import UTC, datetime

import pytest
import XenAPI
from hvsdk.driver import errors
from hypothesis import given
from hypothesis import strategies as st

from hvsdk_xen._login import may_repeat
from hvsdk_xen._rpc import JSON, XML, AnswerError, check_texts
from hvsdk_xen._tasks import read_result
from hvsdk_xen._values import NULL, as_bool, as_float, as_int, as_time, is_ref

VALUES = {"a": 2**40, "b": [True, 1.0, "ü & <x>"], "c": {}}


def test_json_has_numbers_as_numbers():
    call = json.loads(JSON.encode("VM.start", ("ref", 2**40, True, 1.5)))
    assert call == {"jsonrpc": "2.0", "id": 1, "method": "VM.start", "params": ["ref", 2**40, True, 1.5]}


def test_xml_has_whole_numbers_as_texts_and_others_as_they_are():
    arguments, method = xmlrpc.client.loads(XML.encode("VM.start", ("ref", 2**40, True, 1.5, VALUES)))
    assert method == "VM.start"
    assert arguments == ("ref", str(2**40), True, 1.5, {"a": str(2**40), "b": [True, 1.0, "ü & <x>"], "c": {}})


def test_a_float_that_is_no_number_is_not_sent_as_json():
    with pytest.raises(ValueError, match="JSON"):
        JSON.encode("event.from", (float("nan"),))


def xml_answer(value) -> bytearray:
    return bytearray(xmlrpc.client.dumps((value,), methodresponse=True).encode())


def test_answers_bring_the_value():
    assert JSON.decode(bytearray(b'{"jsonrpc": "2.0", "result": [1], "id": 1}')) == [1]
    assert JSON.decode(bytearray(b'{"result": "", "error": null, "id": 1}')) == ""
    assert XML.decode(xml_answer({"Status": "Success", "Value": ["1"]})) == ["1"]


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (JSON, b'{"jsonrpc": "2.0", "error": {"code": 1, "message": "HANDLE_INVALID", "data": ["VM", 7]}, "id": 1}'),
        (JSON, b'{"result": null, "error": ["HANDLE_INVALID", "VM", "7"], "id": 1}'),
        (XML, xml_answer({"Status": "Failure", "ErrorDescription": ["HANDLE_INVALID", "VM", "7"]})),
    ],
)
def test_answers_bring_failures(form, answer):
    with pytest.raises(XenAPI.Failure) as failed:
        form.decode(bytearray(answer))
    assert failed.value.details == ["HANDLE_INVALID", "VM", "7"]


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (JSON, b""),
        (JSON, b"<html>502 Bad gateway</html>"),
        (JSON, b"[]"),
        (JSON, b"{}"),
        (JSON, b'{"error": "no"}'),
        (JSON, b'{"error": {"code": -32700}}'),
        (JSON, b"\xff\xfe{}"),
        (JSON, b"[" * 100_000),
        (XML, b""),
        (XML, b"<html>502 Bad gateway</html>"),
        (XML, b"<methodResponse><params/></methodResponse>"),
        (XML, b"<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>"),
        (XML, xml_answer("text")),
        (XML, xml_answer({"Status": "Success"})),
        (XML, xml_answer({"Status": "Failure", "ErrorDescription": []})),
        (XML, xmlrpc.client.dumps(xmlrpc.client.Fault(1, "no such thing")).encode()),
        (XML, b"<!DOCTYPE x [<!ENTITY a 'b'>]><methodResponse>&a;</methodResponse>"),
    ],
)
def test_an_answer_that_is_none_is_told_as_such(form, answer):
    with pytest.raises(AnswerError):
        form.decode(bytearray(answer))


@pytest.mark.parametrize("form", [JSON, XML])
@given(answer=st.binary(max_size=200))
def test_no_answer_makes_anything_else(form, answer):
    with pytest.raises((AnswerError, XenAPI.Failure)):
        form.decode(bytearray(answer))


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "\ud800", "\ufffe"])
@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: [t], lambda t: {"k": t}, lambda t: {t: "v"}])
def test_what_the_products_database_cannot_keep_is_refused_before_it_is_sent(text, wrap):
    with pytest.raises(errors.InvalidSpecError):
        check_texts(("VM.set_name_label", wrap(text)))


def test_odd_names_are_sent():
    check_texts(['it\'s "quoted" <&> $(reboot)\n\tünïcode 虚拟机 ✓', {"k": 1}, None, 2.5])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("VM.get_record", True),
        ("event.from", True),
        ("VM.assert_operation_valid", True),
        ("system.listMethods", True),
        ("VM.start", False),
        ("Async.VM.start", False),
        ("VM.set_name_label", False),
        ("session.login_with_password", False),
        ("VDI.list_changed_blocks", True),
        ("session.logout", True),
        ("task.destroy", True),
        ("VM.destroy", False),
    ],
)
def test_only_what_changes_nothing_or_ends_something_is_sent_again(method, expected):
    assert may_repeat(method) is expected


def test_values_are_the_same_in_both_ways_of_writing():
    moment = datetime(2024, 4, 20, 12, tzinfo=UTC)
    assert as_int("42") == as_int(42) == 42
    assert as_time("20240420T12:00:00Z") == as_time(xmlrpc.client.DateTime("20240420T12:00:00Z")) == moment
    assert as_time("2024-04-20T12:00:00.25Z") == moment
    assert as_float("0.5") == as_float(0.5) == 0.5
    assert as_bool("true")
    assert as_bool("1")
    assert not as_bool("0")


@pytest.mark.parametrize("value", [None, "", "x", [], {}, float("nan"), float("inf"), True])
def test_what_is_no_number_is_none(value):
    assert as_int(value) is None


@pytest.mark.parametrize("value", [None, "", "yesterday", "19700101T00:00:00Z", "20240001T00:00:00Z"])
def test_what_is_no_moment_is_none(value):
    assert as_time(value) is None


def test_the_reference_to_nothing_is_none():
    assert is_ref("OpaqueRef:1")
    assert not is_ref(NULL)
    assert not is_ref("")
    assert not is_ref(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<value>OpaqueRef:1</value>", "OpaqueRef:1"),
        ("<value><array><data><value>OpaqueRef:1</value></data></array></value>", ["OpaqueRef:1"]),
        ("<value></value>", None),
        ("<value/>", None),
        ("", None),
        (None, None),
        ("OpaqueRef:1", "OpaqueRef:1"),
        ("<value>broken", "<value>broken"),
        ("<value><int>x</int></value>", "<value><int>x</int></value>"),
    ],
)
def test_the_result_of_a_task_is_read(text, expected):
    assert read_result(text) == expected
