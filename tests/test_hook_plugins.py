"""The hook plugins of contrib: an audit log, a policy, spans."""

from __future__ import annotations

import importlib
import json
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import hvsdk
from hvsdk import errors

CONTRIB = Path(__file__).parents[1] / "contrib"
MOST_LINES = 150


@pytest.fixture(params=["audit", "policy", "otel"])
def source(request: pytest.FixtureRequest) -> Path:
    return CONTRIB / request.param / f"hvsdk_{request.param}" / "__init__.py"


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(CONTRIB / name))
    sys.modules.pop(f"hvsdk_{name}", None)
    return importlib.import_module(f"hvsdk_{name}")


@pytest.fixture
def registered() -> Iterator[Any]:
    plugins: list[Any] = []

    def register(plugin: Any) -> Any:
        hvsdk.register(plugin, f"plugin-{len(plugins)}")
        plugins.append(plugin)
        return plugin

    yield register
    for plugin in plugins:
        hvsdk.unregister(plugin)


def test_each_is_short_and_can_be_installed(source: Path) -> None:
    assert len(source.read_text("utf-8").splitlines()) < MOST_LINES
    assert (source.parents[1] / "pyproject.toml").exists()
    assert (source.parents[1] / "README.md").exists()


# ---- audit -----------------------------------------------------------------------------------------------


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: Any) -> Path:
    path = tmp_path / "audit.jsonl"
    registered(module("audit", monkeypatch).AuditLog(path, fsync=True))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_operation_has_a_line_when_it_begins_and_one_when_it_has_ended(audit: Path) -> None:
    with hvsdk.connect("fake://root@lab?domains=2", password="hush") as host, hvsdk.context(ticket="CHG-7"):
        host.domain("db-1").start()
    begin, end = lines(audit)
    assert (begin["event"], end["event"], begin["id"]) == ("begin", "end", end["id"])
    assert (begin["verb"], begin["domain"], begin["connection"]) == ("start", "db-1", "root")
    assert begin["marks"] == {"ticket": "CHG-7"}
    assert (end["status"], end["power_state"]) == ("ok", "running")
    assert "hush" not in audit.read_text("utf-8")
    assert stat.S_IMODE(audit.stat().st_mode) == 0o600


def test_operations_that_are_part_of_others_name_them(audit: Path) -> None:
    with hvsdk.connect("fake://lab?domains=1") as host:
        host.domain("web-1").shutdown(timeout=20, then="power_off")
    ids = {line["id"] for line in lines(audit)}
    assert all(line["parent"] is None or line["parent"] in ids for line in lines(audit))


def test_what_fails_and_what_is_native_is_told_too(audit: Path) -> None:
    with hvsdk.connect("fake://lab?domains=1") as host:
        host.native()
        domain = host.domain("web-1")
        domain.reset()
        with pytest.raises(errors.PowerStateError):
            domain.delete()
    told = [(line["verb"], line.get("status")) for line in lines(audit)]
    assert ("native", "ok") in told
    assert any(status == "failed" for _, status in told)


def test_what_cannot_be_logged_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: Any) -> None:
    registered(module("audit", monkeypatch).AuditLog(tmp_path / "none" / "audit.jsonl"))
    with hvsdk.connect("fake://lab?domains=1") as host:
        domain = host.domain("web-1")
        with pytest.raises(errors.VetoError):
            domain.power_off()
        assert domain.refresh().power_state == "running"


def test_a_name_cannot_forge_a_line(audit: Path) -> None:
    with hvsdk.connect("fake://lab?domains=1") as host:
        host.domain("web-1").rename('x\n{"event": "begin"}')
    assert [line["event"] for line in lines(audit)] == ["begin", "end"]


# ---- policy ----------------------------------------------------------------------------------------------

RULES = """
[[rule]]
tags = ["prod"]
verbs = ["delete", "power_off"]
refuse = "production stays on"

[[rule]]
verbs = ["reset"]
outside = "22:00-05:00"
days = ["sat"]
refuse = "not now"
unless_marks = ["emergency"]

[limits]
domains = 2
"""


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, registered: Any) -> Any:
    import tomllib

    moment = [datetime(2026, 11, 28, 23, 0, tzinfo=UTC)]  # a Saturday
    plugin = registered(module("policy", monkeypatch).Policy(tomllib.loads(RULES), lambda: moment[0]))
    plugin.moment = moment
    return plugin


def test_protected_tags_are_refused(policy: Any) -> None:
    with hvsdk.connect("fake://lab?domains=2") as host:
        domain = host.domain("web-1")
        domain.set_tags({"prod"})
        with pytest.raises(errors.VetoError, match="production stays on"):
            domain.power_off()
        domain.set_tags({"lab"})
        domain.power_off()


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        (datetime(2026, 11, 28, 23, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 4, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 5, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 28, 4, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 23, 0, tzinfo=UTC), False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(
    policy: Any, moment: datetime, allowed: bool
) -> None:
    policy.moment[0] = moment
    with hvsdk.connect("fake://lab?domains=1") as host:
        if allowed:
            host.domain("web-1").reset()
            return
        with pytest.raises(errors.VetoError, match="not now"):
            host.domain("web-1").reset()
        with hvsdk.context(emergency="INC-7"):
            host.domain("web-1").reset()


def test_a_run_touches_no_more_domains_than_it_may(policy: Any) -> None:
    with hvsdk.connect("fake://lab?domains=3") as host:
        for name in ("web-1", "db-1", "db-1"):
            host.domain(name).set_notes("x")
        with pytest.raises(errors.VetoError, match="2 domains"):
            host.domain("app-1").set_notes("x")


@pytest.mark.parametrize("wrong", [{"rule": [{"verb": ["x"], "refuse": "x"}]}, {"rule": [{"verbs": ["x"]}]}])
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="rule"):
        module("policy", monkeypatch).Policy(wrong)


def test_a_policy_that_cannot_be_read_refuses_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: Any
) -> None:
    monkeypatch.setenv("HVSDK_POLICY", str(tmp_path / "none.toml"))
    registered(module("policy", monkeypatch))
    with hvsdk.connect("fake://lab?domains=1") as host, pytest.raises(errors.VetoError):
        host.domain("web-1").reset()


# ---- spans -----------------------------------------------------------------------------------------------


def test_an_operation_is_a_span_that_says_how_it_ended(monkeypatch: pytest.MonkeyPatch, registered: Any) -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    registered(module("otel", monkeypatch))
    with hvsdk.connect("fake://lab?domains=2") as host, hvsdk.context(ticket="CHG-7"):
        host.domain("db-1").start()
        with pytest.raises(errors.PowerStateError):
            host.domain("db-1").delete()
    start, delete = exporter.get_finished_spans()
    assert (start.name, start.status.is_ok) == ("hvsdk.start", True)
    assert start.attributes is not None
    assert start.attributes["hvsdk.mark.ticket"] == "CHG-7"
    assert (delete.name, delete.status.is_ok) == ("hvsdk.delete", False)
