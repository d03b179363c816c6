"""Statistics over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hvsdk_simulators.xapi.database import Object
from storage_pool import Answer, Pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(domains=12, hosts=1) as made:
        yield made


def updates(pool: Pool, **query: str) -> Any:
    answer = pool.request("GET", "/rrd_updates", json="true", **query)
    assert answer.status == 200
    return json.loads(answer.content)


def residents(pool: Pool) -> list[Object]:
    host = pool.world.master
    return [vm for vm in pool.world.db.all("VM") if vm["resident_on"] == host.ref]


def test_every_resident_vm_has_columns_and_every_row_a_value_for_each(pool: Pool) -> None:
    told = updates(pool, start="-20")

    owners = {entry.split(":")[2] for entry in told["meta"]["legend"]}
    assert owners == {vm["uuid"] for vm in residents(pool)}
    assert told["meta"]["rows"] == len(told["data"]) > 0
    assert {len(row["values"]) for row in told["data"]} == {told["meta"]["columns"]}


def test_rows_are_newest_first_and_a_step_apart(pool: Pool) -> None:
    moments = [row["t"] for row in updates(pool, start="-60")["data"]]

    assert moments == sorted(moments, reverse=True)
    assert {later - earlier for later, earlier in pairwise(moments)} == {5}


def test_the_host_is_told_of_when_asked_for(pool: Pool) -> None:
    legend = updates(pool, start="-20", host="true")["meta"]["legend"]

    assert f"AVERAGE:host:{pool.world.master['uuid']}:memory_free_kib" in legend


def test_one_vm_alone_can_be_asked_for(pool: Pool) -> None:
    vm = pool.vm("Running")

    legend = updates(pool, start="-20", vm_uuid=vm["uuid"], cf="MAX")["meta"]["legend"]

    assert {entry.rsplit(":", 1)[0] for entry in legend} == {f"MAX:vm:{vm['uuid']}"}


def test_the_interval_chooses_the_archive(pool: Pool) -> None:
    start = str(int(time.time()) - 3000)

    assert updates(pool, start=start, interval="60")["meta"]["step"] == 60
    assert updates(pool, start=start, interval="3600")["meta"]["step"] == 3600


def test_two_answers_agree_about_the_same_moment(pool: Pool) -> None:
    first = {row["t"]: row["values"] for row in updates(pool, start="-30")["data"]}
    second = {row["t"]: row["values"] for row in updates(pool, start="-30")["data"]}

    shared = first.keys() & second.keys()
    assert shared
    assert all(first[moment] == second[moment] for moment in shared)


def test_xml_says_the_same(pool: Pool) -> None:
    vm = pool.vm("Running")
    answer = pool.request("GET", "/rrd_updates", start="-20", vm_uuid=vm["uuid"])

    root = ElementTree.fromstring(bytes(answer.content))

    assert answer.answered["Content-Type"] == "text/xml"
    entries = [entry.text or "" for entry in root.findall("meta/legend/entry")]
    assert any(entry.endswith(":memory") for entry in entries)
    assert {len(row.findall("v")) for row in root.findall("data/row")} == {len(entries)}


def test_newer_servers_look_at_what_is_accepted() -> None:
    def kind(api: tuple[int, int]) -> str:
        with Pool(domains=1, hosts=1, api=api) as pool:
            answer = pool.request("GET", "/rrd_updates", b"", {"accept": "application/json"}, start="-5")
            return answer.answered["Content-Type"]

    assert (kind((2, 15)), kind((2, 21))) == ("text/xml", "application/json")


@pytest.mark.parametrize(("query", "status"), [({}, 400), ({"start": "x"}, 400), ({"start": "0", "cf": "SUM"}, 404)])
def test_what_cannot_be_answered_is_refused(pool: Pool, query: dict[str, str], status: int) -> None:
    assert pool.request("GET", "/rrd_updates", **query).status == status


@pytest.mark.parametrize("path", ["/vm_rrd", "/host_rrd"])
def test_all_that_is_kept_can_be_had(pool: Pool, path: str) -> None:
    query = {"uuid": pool.vm("Running")["uuid"]}

    def ask(**more: str) -> Answer:
        return pool.request("GET", path, **query, **more)

    root = ElementTree.fromstring(bytes(ask().content))
    told = json.loads(ask(json="true").content)

    assert [one.findtext("name") for one in root.findall("ds")] == [one["name"] for one in told["ds"]]
    assert [one.findtext("pdp_per_row") for one in root.findall("rra")] == ["1", "12", "720", "17280"]


def test_nothing_is_kept_of_an_unknown_vm(pool: Pool) -> None:
    assert pool.request("GET", "/vm_rrd", uuid="none").status == 404
