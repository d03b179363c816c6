"""What the service answers has the elements, in the order and with the attributes, of answers of Windows."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from hvsdk_simulators.winrm.process import Process
from winrm_host import PASSWORD, USER, WinrmHost
from xapi_reference import reference

SHELL = "{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}"
ACTIVITY = "{http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd}ActivityId"
RECORDINGS = (
    *("test_client_execute_cmd", "test_winrs_bad_cmd_id", "test_winrs_environment", "test_winrs_extra_opts"),
    *("test_winrs_fail_poll_process", "test_winrs_noprofile", "test_winrs_open_already_opened"),
    *("test_winrs_operation_timeout", "test_winrs_send", "test_winrs_standard", "test_winrs_stderr_rc"),
    "test_winrs_unicode",
)
"""Those of shells of text that today's servers answer alike."""


class Recorded(Process):
    """Says what a recorded answer says, when its turn has come."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, bytes]] = []
        self.code: int | None = None

    def turn(self, answer: Any) -> None:
        """Take what the next Receive is to be answered."""
        self.pieces = [
            (one.get("Name"), base64.b64decode(one.text)) for one in answer.iter(f"{SHELL}Stream") if one.text
        ]
        code = answer.find(f".//{SHELL}ExitCode")
        self.code = None if code is None else int(code.text)

    def write(self, data: bytes) -> None:
        pass

    def close_input(self) -> None:
        pass

    def read(self) -> list[tuple[str, bytes]]:
        pieces, self.pieces = self.pieces, []
        return pieces

    def wait_output(self, seconds: float) -> None:
        pass

    def exit_code(self) -> int | None:
        return None if self.pieces else self.code

    def kill(self) -> None:
        pass


def shape(element: Any) -> Any:
    """Return an element without what differs from answer to answer: its texts, and an id that is there now and then."""
    attributes = {
        name: value.replace("\\", "") if element.tag == f"{SHELL}Variable" else value  # Windows leaves one out there
        for name, value in element.attrib.items()
        if name not in ("CommandId", "Machine")
    }
    inside = [shape(one) for one in element if one.tag != ACTIVITY]
    return element.tag, attributes, inside


@pytest.mark.parametrize("name", RECORDINGS)
def test_answers_are_built_like_those_of_windows(name: str, tmp_path: Path) -> None:
    exchanges = reference("winrm-recordings.json.gz")["recordings"][name]
    process = Recorded()
    renamed: dict[str, str] = {}
    with (
        WinrmHost(tmp_path, start=lambda *_: process) as host,
        requests.Session() as session,
    ):
        for exchange in exchanges:
            theirs = ElementTree.fromstring(exchange["response"])
            process.turn(theirs)
            text = exchange["request"].replace("PT10S", "PT0.05S")
            for old, new in renamed.items():
                text = text.replace(old, new)
            answer = session.post(host.url, text.encode(), auth=(USER, PASSWORD), verify=host.certificate, timeout=30)
            ours = ElementTree.fromstring(answer.content)
            assert answer.status_code == exchange["status"]
            assert shape(ours) == shape(theirs)
            assert ours.findtext(".//{*}RelatesTo") == ElementTree.fromstring(text).findtext(".//{*}MessageID")
            if exchange["status"] == 500:
                assert "".join(ours.itertext()).count("uuid:") == 2
                assert [one.text for one in ours.iter() if "Text" in one.tag or "Value" in one.tag] == [
                    one.text for one in theirs.iter() if "Text" in one.tag or "Value" in one.tag
                ]
            for tag in ("ShellId", "CommandId"):
                pair = theirs.findtext(f".//{SHELL}{tag}"), ours.findtext(f".//{SHELL}{tag}")
                if pair[0] and pair[1]:
                    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", pair[1])
                    renamed[pair[0]] = pair[1]


@pytest.mark.parametrize("name", ["test_psrp_is_alive_http_error", "test_wsman_update_envelope_size_500"])
def test_what_is_no_shell_of_text_is_a_fault(name: str, tmp_path: Path) -> None:
    request = reference("winrm-recordings.json.gz")["recordings"][name][0]["request"]
    with WinrmHost(tmp_path) as host:
        answer = requests.post(host.url, request.encode(), auth=(USER, PASSWORD), verify=host.certificate, timeout=30)
    assert answer.status_code == 500
    assert ElementTree.fromstring(answer.content).find(".//{*}WSManFault") is not None
