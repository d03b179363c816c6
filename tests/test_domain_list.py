import os
import pickle
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hvsdk
from hvsdk._display import cut, neutralise, pad, width
from hvsdk._domain_list import DomainList
from hvsdk._record_list import RecordList
from hvsdk._table import DOMAIN_COLUMNS, columns_of, text_table
from hvsdk.enums import PowerState
from hvsdk.models import Console, DomainInfo, Node, SnapshotInfo, VolumeInfo

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\r\tc\x00",
    "admin\u202egpj.exe",
    "<script>alert('x')</script>\"&",
    "\u200b\ufeff\u2028\u3164",
    "half\ud800",
    "z" + "\u0301" * 1000,
    "x" * 100_000,
]


def info(number=1, **more):
    values = {
        "native_id": str(number),
        "name": f"vm-{number}",
        "power_state": PowerState.RUNNING,
        "uuid": f"8d7ddb4d-4f1d-4a4b-9c3e-{number:012}",
        "hypervisor": "kvm",
        "node": "node-a",
        "vcpus": 2,
        "memory_bytes": 4 * 2**30,
    }
    return DomainInfo(**{**values, **more})


def listed(*infos):
    return DomainList(SimpleNamespace(info=record) for record in infos)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def test_a_listing_prints_as_a_table():
    assert repr(listed(info(1), info(22, power_state=PowerState.SHUTOFF, vcpus=16))).splitlines() == [
        "name   state    vcpus  memory  node    hypervisor  uuid",
        "vm-1   running      2   4 GiB  node-a  kvm         8d7ddb4d",
        "vm-22  shutoff     16   4 GiB  node-a  kvm         8d7ddb4d",
    ]


def test_what_is_not_loaded_or_not_known_is_a_dash():
    record = DomainInfo(native_id="1", name="x", power_state=PowerState.UNKNOWN, uuid=None)
    assert repr(listed(record)).splitlines()[1].split() == ["x", "unknown", "-", "-", "-", "-", "-"]


def test_an_empty_listing_says_so():
    assert repr(DomainList()) == "<no domains>"
    assert DomainList()._repr_html_() == "<p>no domains</p>"


def test_a_long_listing_is_cut_short():
    lines = repr(listed(*map(info, range(10_000)))).splitlines()
    assert len(lines) == 62
    assert lines[-1] == "… and 9,940 more"
    html = listed(*map(info, range(10_000)))._repr_html_()
    assert html.count("<tr>") == 61
    assert "… and 9,940 more" in html


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 79, 80, 200])
def test_a_table_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    domains = listed(info(1, name="机" * 60, node="n" * 60), info(2), *map(info, range(60)))
    assert all(width(line) <= columns for line in repr(domains).splitlines())
    assert repr(domains).strip()


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_server_says_cannot_reach_terminal_or_page(name):
    domains = listed(info(1, name=name, node=name, hypervisor=name, uuid=name))
    text = repr(domains)
    assert len(text.splitlines()) == 2
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode()
    html = domains._repr_html_()
    assert "<script" not in html
    assert html.count("<td") == 7
    assert html.isprintable()
    assert len(html) < 10_000


def test_a_backend_that_breaks_the_contract_breaks_no_table():
    domains = listed(info(1, name=None, vcpus="two", memory_bytes="much", node=7, power_state=None))
    assert "much" in repr(domains)
    assert "<table>" in domains._repr_html_()


def test_wide_letters_are_aligned():
    lines = repr(listed(info(1, name="机器"), info(2, name="ab"))).splitlines()
    assert width(lines[1].split("running")[0]) == width(lines[2].split("running")[0])


def test_it_is_a_list_whose_parts_are_of_its_kind():
    domains = listed(info(1), info(2), info(3))
    assert isinstance(domains, list)
    assert type(domains[1:]) is DomainList
    assert type(domains.copy()) is DomainList
    assert type(domains + domains[:1]) is DomainList
    assert len(domains + domains) == 6
    assert domains[0].info == info(1)
    assert [d.info.name for d in domains[::-1]] == ["vm-3", "vm-2", "vm-1"]
    with pytest.raises(TypeError):
        domains + 1
    assert type(pickle.loads(pickle.dumps(domains))) is DomainList


def test_to_dicts_is_what_the_records_say():
    one, two = info(1), info(2)
    assert listed(one, two).to_dicts() == [one.to_dict(), two.to_dict()]


def test_other_records_print_their_own_short_fields():
    nodes = RecordList([Node(id="1", name="a", cpus=8, memory_bytes=2**30), Node(id="2", name="b", details={"x": 1})])
    assert repr(nodes).splitlines() == [
        "id  name  state    cpus  memory",
        "1   a     unknown     8   1 GiB",
        "2   b     unknown     -       -",
    ]
    assert nodes.to_dicts()[0]["name"] == "a"
    assert type(nodes[:1]) is RecordList
    assert repr(RecordList()) == "<no records>"
    assert repr(RecordList([1, "a\n"])) == "[1, 'a\\n']"


def test_secrets_and_times_in_a_table():
    expires = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    text = repr(RecordList([Console(kind="vnc", password="hunter2", token="t0ken", expires_at=expires)]))
    assert "hunter2" not in text
    assert "t0ken" not in text
    assert "2026-01-02 03:04:05" in text


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_a_neutralised_text_is_one_visible_line(text):
    shown = neutralise(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert neutralise(shown) == shown


@given(st.text(max_size=40), st.integers(min_value=1, max_value=30))
def test_cut_and_pad_keep_to_their_columns(text, columns):
    shown = cut(neutralise(text), columns)
    assert width(shown) <= columns
    assert width(pad(shown, columns)) == columns
    assert width(pad(shown, columns, right=True)) == columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1", "web-1"),
        ("Grüße 机器 नमस्ते", "Grüße 机器 नमस्ते"),
        ("e\u0301", "e\u0301"),
        ("\u0301e", "\\u0301e"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("a\nb", "a\\nb"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
        ("DOMAIN\\user", "DOMAIN\\user"),
    ],
)
def test_letters_stay_and_orders_are_escaped(text, shown):
    assert neutralise(text) == shown


def test_the_width_can_be_given():
    assert os.environ["COLUMNS"] == "100"
    assert width(text_table(DOMAIN_COLUMNS, [info()], columns_wide=10).splitlines()[0]) <= 10


def test_headings_give_way_before_names_do(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    name = "production-web-frontend-eu-west"
    head, row = repr(listed(info(1, name=name, hypervisor="kvm"))).splitlines()
    assert name in row
    assert "hyper…" in head or "hyp…" in head
    assert width(head) <= 80


def test_times_lose_their_year_and_long_ids_go_before_names_are_cut(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    record = SnapshotInfo(id="snapshot-" + "0" * 40, name="before-the-upgrade-of-version", created_at=at)
    head, row = repr(RecordList([record])).splitlines()
    assert head.split()[:2] == ["name", "created"]
    assert "before-the-upgrade-of-version" in row
    assert "01-02 03:04" in row
    assert width(row) <= 60


def test_ids_that_do_not_fit_are_left_out_and_not_cut_to_what_all_rows_share() -> None:
    volumes = [
        VolumeInfo(id=f"[datastore-with-a-name] web-{n}/web-{n}.vmdk", name=f"web-{n}.vmdk", pool="p", capacity_bytes=n)
        for n in range(3)
    ]
    head, *rows = text_table(columns_of(volumes), volumes, columns_wide=40).splitlines()
    assert head.split() == ["name", "pool", "capacity"]
    assert [row.split()[0] for row in rows] == ["web-0.vmdk", "web-1.vmdk", "web-2.vmdk"]


def test_figures_are_left_out_from_the_right_and_never_cut() -> None:
    with hvsdk.connect("fake://demo") as host:
        stats = [figures.replace(cpu_seconds=1 / 3) for figures in host.stats()]
    table = text_table(columns_of(stats), stats, columns_wide=80)
    head, *rows = table.splitlines()
    assert not any("…" in row for row in rows)
    assert head.split()[0] == "name"
    assert "0.33" in table
    assert max(map(len, table.splitlines())) <= 80
