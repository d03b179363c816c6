"""`hvsdk conformance URL`: what it touches, what it prints, how it ends."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import hvsdk
from hvsdk.capability import Capability
from hvsdk.testing import conformance_command
from hvsdk.testing._matrix import Matrix, Row
from hvsdk.testing.conformance._against_url import restore
from hvsdk.testing.conformance._helpers import CONCERNS, Names

URL = "fake://demo?domains=3"


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = conformance_command([URL, *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_it_only_reads_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    class Listener:
        @hvsdk.hookimpl
        def hvsdk_before_operation(self, operation: hvsdk.Operation) -> None:
            if operation.changes:
                seen.append(operation.verb)

    listener = Listener()
    hvsdk.register(listener)
    try:
        code, out, _ = run("-k", "not closed_watch and not nothing_happens", capsys=capsys)
    finally:
        hvsdk.unregister(listener)
    assert code == 0, out
    assert seen == []
    assert "passed" in out


def test_it_prints_a_row_for_each_capability(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--create", "--guest-obeys", "--json", "-k", "power_table and RUNNING", capsys=capsys)
    found = json.loads(out)
    rows = {row["capability"]: row for row in found["capabilities"]}
    assert code == 0
    assert rows.keys() == {capability.value for capability in Capability}
    assert (rows["pause"]["state"], rows["pause"]["passed"]) == ("yes", 1)
    assert rows["multiprocess"]["state"] == "no"
    assert rows["screenshot"]["state"] == "not checked"
    assert found["totals"]["passed"] == 10
    assert found["url"] == "fake://demo"


def test_it_makes_a_table_for_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--markdown", "-k", "why_not_agrees_with_supports", capsys=capsys)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("| capability | fake |")
    assert len(lines) == 2 + len(Capability)


def test_a_named_domain_is_driven(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--domain", "web-1", "-k", "test_notes or test_tags or test_a_domain_gets", capsys=capsys)
    assert code == 0, out
    assert "failed" not in out.splitlines()[-1]


def test_nobody_at_the_url_is_an_error_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance_command(["nosuch://host"]) == 2
    assert "nosuch" in capsys.readouterr().err


def test_a_domain_that_is_not_there_is_an_error_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("--domain", "nobody", capsys=capsys)
    assert (code, out) == (2, "")
    assert "nobody" in err


def test_a_named_domain_is_brought_back() -> None:
    names = Names()
    with hvsdk.connect(URL) as host:
        domain = host.domain("web-1")
        before = domain.info
        domain.power_off()
        off = domain.refresh().info
        domain.rename(names("renamed"))
        domain.set_notes("changed")
        domain.set_tags(["changed"])
        domain.set_metadata({"kit.key": "x", "team.owner": None})
        domain.set_autostart(not before.autostart)
        domain.reconfigure(vcpus=1, memory="64MiB")
        domain.attach_disk(hvsdk.DiskSpec(size="8MiB"))
        domain.attach_nic(hvsdk.NicSpec())
        domain.create_snapshot(names("one"))
        domain.create_snapshot(names("two"))
        domain.fence("kit")
        restore(host.domain(domain.native_id), off, before, names, 10.0)
        after = host.domain(domain.native_id)
        assert after.snapshots() == []
        changed = {"started_at", "seen_at", "details", "addresses", "metadata", "created_at", "max_vcpus", "guest_os"}
        same = before.loaded - changed
        assert {name: getattr(after.info, name) for name in same} == {name: getattr(before, name) for name in same}
        assert "kit.key" not in after.metadata
        assert after.metadata["team.owner"] == before.metadata["team.owner"]


def report(when: str, outcome: str, text: str = "", **more: object) -> SimpleNamespace:
    properties = [(CONCERNS, ["start", "start"])]
    reason = ("file", 1, text)
    values = {"nodeid": "kit.py::Test::test_x", "when": when, "outcome": outcome, "longreprtext": text}
    return SimpleNamespace(**values, longrepr=reason, user_properties=properties, **more)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([report("setup", "passed"), report("call", "passed"), report("teardown", "passed")], "passed"),
        ([report("call", "failed", "E   no")], "failed"),
        ([report("call", "passed"), report("teardown", "failed", "E   left behind")], "failed"),
        ([report("setup", "skipped", "no such verb")], "skipped"),
        ([report("call", "skipped", "later", wasxfail="later")], "known"),
    ],
    ids=["passed", "failed", "left behind", "skipped", "known"],
)
def test_a_test_counts_once_for_each_capability(reports: list[SimpleNamespace], expected: str) -> None:
    matrix = Matrix(
        {"url": "u", "backend": "b", "product": "p", "version": None}, [Row(capability="start", reason=None)]
    )
    for one in reports:
        matrix.count(one)
    row = matrix.rows["start"]
    assert {outcome: getattr(row, outcome) for outcome in matrix.totals()} == matrix.totals()
    assert matrix.totals() == {**dict.fromkeys(matrix.totals(), 0), expected: 1}
    assert bool(matrix.failures) is (expected == "failed")


def test_what_a_server_says_is_neutralised() -> None:
    about = {"url": "u", "backend": "b", "product": "\x1b[31mred", "version": None}
    assert "\x1b" not in Matrix(about, []).text()
