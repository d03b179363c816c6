"""SRs and what connects hosts to them."""

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.storage.space import physical_utilisation, virtual_allocation
from hvsdk_simulators.xapi.units import GIB, MIB
from storage_pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=8) as made:
        yield made


def made(pool: Pool, kind: str = "nfs", *, shared: bool = True, **config: str) -> Object:
    found: Object = pool.call("SR.create", pool.world.master, config, 4 * GIB, "new", "", kind, "user", shared, {})
    return found


def test_a_shared_sr_is_connected_with_every_host(pool: Pool) -> None:
    sr = made(pool, server="s", serverpath="/p")
    pbds = [pool.world.db.get("PBD", ref) for ref in sr["PBDs"]]
    assert {pbd["host"] for pbd in pbds} == {member.host.ref for member in pool.world.members}
    assert all(pbd["currently_attached"] for pbd in pbds)
    local = made(pool, "ext", shared=False, device="/dev/sdb")
    assert len(local["PBDs"]) == 1


def test_an_sr_of_an_unknown_type_is_refused(pool: Pool) -> None:
    arguments: tuple[Any, ...] = (pool.world.master, {}, 0, "new", "", "tape", "user", False, {})
    assert pool.refused("SR.create", *arguments) == ["SR_UNKNOWN_DRIVER", "tape"]
    assert pool.refused("SR.introduce", "", "n", "", "tape", "user", False, {}) == ["SR_UNKNOWN_DRIVER", "tape"]


def test_an_sr_that_lacks_a_parameter_leaves_nothing_behind(pool: Pool) -> None:
    before = pool.world.db.count("SR")
    arguments: tuple[Any, ...] = (pool.world.master, {"server": "s"}, 0, "new", "", "nfs", "user", True, {})
    assert pool.refused("SR.create", *arguments)[0] == "SR_BACKEND_FAILURE"
    assert pool.world.db.count("SR") == before


def test_an_sr_goes_step_by_step(pool: Pool) -> None:
    sr = made(pool, server="s", serverpath="/p")
    vdi = pool.world.storage.create_vdi(sr, MIB)
    assert pool.refused("SR.destroy", sr) == ["SR_HAS_PBD", sr.ref]
    assert pool.refused("SR.forget", sr) == ["SR_HAS_PBD", sr.ref]
    for ref in list(sr["PBDs"]):
        pool.call("PBD.unplug", pool.world.db.get("PBD", ref))
    assert pool.refused("SR.destroy", sr) == ["SR_NOT_EMPTY"]
    assert pool.refused("SR.scan", sr) == ["SR_NOT_ATTACHED", sr.ref]
    for ref in list(sr["PBDs"]):
        pool.call("PBD.plug", pool.world.db.get("PBD", ref))
    pool.call("VDI.destroy", vdi)
    pbds = [pool.world.db.get("PBD", ref) for ref in sr["PBDs"]]
    for pbd in pbds:
        pool.call("PBD.unplug", pbd)
    pool.call("SR.destroy", sr)
    assert pool.world.db.lookup("SR", sr.ref) is None
    assert all(pool.world.db.lookup("PBD", pbd.ref) is None for pbd in pbds)


def test_an_sr_that_must_stay_stays(pool: Pool) -> None:
    sr = made(pool, server="s", serverpath="/p")
    pool.world.db.update(sr, other_config={"indestructible": "true"})
    assert pool.refused("SR.destroy", sr) == ["SR_INDESTRUCTIBLE", sr.ref]


def test_disks_of_a_forgotten_sr_are_there_when_it_is_introduced_again(pool: Pool) -> None:
    sr = made(pool, server="s", serverpath="/p")
    vdi = pool.world.storage.create_vdi(sr, 4 * MIB, name="kept")
    pool.world.storage.disk(vdi).write(100, b"content")
    for ref in list(sr["PBDs"]):
        pool.call("PBD.unplug", pool.world.db.get("PBD", ref))
    pool.call("SR.forget", sr)
    assert pool.world.db.lookup("VDI", vdi.ref) is None
    again = pool.call("SR.introduce", sr["uuid"], "again", "", "nfs", "user", True, {})
    assert pool.refused("SR.introduce", sr["uuid"], "n", "", "nfs", "user", True, {}) == ["SR_UUID_EXISTS", sr["uuid"]]
    assert pool.refused("SR.scan", again) == ["SR_HAS_NO_PBDS", again.ref]
    record = {"host": pool.world.master.ref, "SR": again.ref, "device_config": {"server": "s", "serverpath": "/p"}}
    pool.call("PBD.plug", pool.call("PBD.create", record))
    pool.call("SR.scan", again)
    found = pool.world.db.find("VDI", vdi["uuid"])
    assert (found["name_label"], found["SR"]) == ("kept", again.ref)
    assert pool.world.storage.disk(found).read(100, 7) == b"content"


def test_a_host_is_connected_with_an_sr_once(pool: Pool) -> None:
    sr = pool.sr("nfs")
    pbd = next(one for ref in sr["PBDs"] if (one := pool.world.db.get("PBD", ref))["host"] == pool.world.master.ref)
    record = {"host": pool.world.master.ref, "SR": sr.ref, "device_config": {}}
    assert pool.refused("PBD.create", record) == ["PBD_EXISTS", sr.ref, pool.world.master.ref, pbd.ref]
    assert pool.refused("PBD.destroy", pbd) == ["OPERATION_NOT_ALLOWED", "PBD is currently attached"]


def test_an_sr_that_is_not_shared_is_on_one_host_only(pool: Pool) -> None:
    sr = made(pool, "ext", shared=False, device="/dev/sdb")
    other = pool.world.members[1].host
    pbd = pool.call("PBD.create", {"host": other.ref, "SR": sr.ref, "device_config": {"device": "/dev/sdb"}})
    assert pool.refused("PBD.plug", pbd) == ["SR_NOT_SHARABLE", sr.ref, pool.world.master.ref]


def test_an_sr_whose_disks_run_is_not_disconnected(pool: Pool) -> None:
    vm = pool.vm("Running")
    vdi = pool.world.db.get("VDI", pool.world.db.get("VBD", vm["VBDs"][0])["VDI"])
    sr = pool.world.db.get("SR", vdi["SR"])
    pbd = next(one for ref in sr["PBDs"] if (one := pool.world.db.get("PBD", ref))["host"] == vm["resident_on"])
    error = pool.refused("PBD.unplug", pbd)
    assert error[0] == "VDI_IN_USE"
    assert vdi.ref in error[1:]


def test_a_probe_finds_what_is_connected(pool: Pool) -> None:
    sr = made(pool, server="probed", serverpath="/p")
    config = {"server": "probed", "serverpath": "/p"}
    assert sr["uuid"] in pool.call("SR.probe", pool.world.master, config, "nfs", {})
    (found,) = pool.call("SR.probe_ext", pool.world.master, config, "nfs", {})
    assert found["sr"]["uuid"] == sr["uuid"]
    assert pool.refused("SR.probe", pool.world.master, {}, "iso", {})[0] == "SR_BACKEND_FAILURE_102"


def test_the_room_that_disks_take_follows_from_the_kind_of_sr(pool: Pool) -> None:
    thin, thick = pool.vdi("nfs", 64 * MIB), pool.vdi("lvmoiscsi", 64 * MIB)
    assert thin["physical_utilisation"] < MIB
    assert thick["physical_utilisation"] >= 64 * MIB
    pool.call("SR.scan", pool.sr("nfs"))
    pool.world.storage.disk(thin).write(0, b"x" * (4 * MIB))
    pool.call("VDI.update", thin)
    assert 4 * MIB <= thin["physical_utilisation"] < 5 * MIB


def test_the_figures_of_a_thin_sr_follow_what_is_written_and_those_of_a_thick_one_what_is_promised(pool: Pool) -> None:
    def figures(sr: Object) -> tuple[int, int]:
        return physical_utilisation(pool.world, sr), virtual_allocation(pool.world, sr)

    for kind, thin in (("nfs", True), ("lvmoiscsi", False)):
        sr = pool.sr(kind)
        taken, promised = figures(sr)
        vdi = pool.vdi(kind, GIB)
        grown = figures(sr)
        assert grown[1] == promised + GIB
        assert grown[0] - taken < MIB if thin else grown[0] - taken >= GIB
        pool.world.storage.disk(vdi).write(0, b"x" * (8 * MIB))
        pool.call("VDI.update", vdi)
        assert figures(sr)[0] - grown[0] == (8 * MIB if thin else 0)
        pool.call("VDI.destroy", vdi)
        assert figures(sr) == (taken, promised)


def test_a_full_sr_makes_no_disk(pool: Pool) -> None:
    sr = pool.sr("lvmoiscsi")
    before = pool.world.db.count("VDI")
    record = {"SR": sr.ref, "virtual_size": sr["physical_size"], "type": "user", "sharable": False, "read_only": False}
    error = pool.refused("VDI.create", record | {"name_description": "", "other_config": {}})
    assert (error[0], len(error)) == ("SR_FULL", 3)
    assert pool.world.db.count("VDI") == before


def test_an_sr_tells_what_may_be_done_with_it(pool: Pool) -> None:
    assert {"scan", "vdi_create", "vdi_snapshot", "vdi_enable_cbt"} <= set(pool.allowed(pool.sr("nfs")))
    tools = next(sr for sr in pool.world.db.all("SR") if sr["is_tools_sr"])
    assert not {"vdi_create", "vdi_snapshot", "destroy"} & set(pool.allowed(tools))
    with Pool(api=(2, 6)) as old:
        assert "vdi_enable_cbt" not in old.allowed(old.sr("nfs"))


def test_every_source_of_an_sr_has_a_value(pool: Pool) -> None:
    sr = pool.sr("nfs")
    sources = pool.call("SR.get_data_sources", sr)
    assert {"physical_utilisation", "size"} <= {source["name_label"] for source in sources}
    assert pool.call("SR.query_data_source", sr, "size") == float(sr["physical_size"])
    assert pool.refused("SR.query_data_source", sr, "nothing")[0] == "INTERNAL_ERROR"
