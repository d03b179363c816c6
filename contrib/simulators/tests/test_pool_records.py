"""Records that are made and dropped as they are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import NULL
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, listening


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening(domains=1) as pool:
        yield pool


@pytest.fixture
def client(pool: Pool) -> Client:
    client = Client(pool)
    client.login()
    return client


def test_an_interface_is_recorded_and_forgotten_without_a_look_at_the_host(client: Client) -> None:
    network, host = client("network.get_all")[0], client("host.get_all")[0]
    told = ("eth9", network, host, "02:00:00:00:00:09", "9000", "-1", True, "DHCP", "", "", "", "", NULL, NULL, False)
    pif = client("PIF.db_introduce", *told, {"key": "value"})
    record = client("PIF.get_record", pif)
    assert (record["device"], record["MTU"], record["other_config"]) == ("eth9", "9000", {"key": "value"})
    assert (record["currently_attached"], record["managed"], record["primary_address_type"]) == (False, True, "IPv4")
    assert pif in client("host.get_PIFs", host)
    client("PIF.db_forget", pif)
    assert client.refusal("PIF.get_record", pif) == ["HANDLE_INVALID", "PIF", pif]
    assert client.refusal("PIF_metrics.get_record", record["metrics"])[0] == "HANDLE_INVALID"


def test_a_crash_dump_of_a_host_is_removed(pool: Pool, client: Client) -> None:
    with pool.world.lock:
        dump = pool.world.db.create("host_crashdump", host=pool.world.master.ref, size=1 << 20)
    assert client("host.get_crashdumps", pool.world.master.ref) == [dump.ref]
    client("host_crashdump.destroy", dump.ref)
    assert client("host.get_crashdumps", pool.world.master.ref) == []
