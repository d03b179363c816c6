"""Storage as clients nobody here wrote see it: PyPI's XenAPI, plain HTTP, qemu-img and libnbd."""

import base64
import hashlib
import http.client
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import hvsdk_simulators
import pytest
import XenAPI
from hvsdk_simulators import Running
from hvsdk_simulators.xapi.units import MIB

SIZE = 64 * MIB


@pytest.fixture(scope="module")
def pool() -> Iterator[Running]:
    with hvsdk_simulators.start("xapi", domains=10, hosts=2, duration_scale=0.1) as running:
        yield running


@pytest.fixture
def session(pool: Running) -> Iterator[Any]:
    opened = XenAPI.Session(f"https://127.0.0.1:{pool.members[0]['port']}", ignore_ssl=True)
    opened.login_with_password(pool.username, pool.password, "1.0", "storage-tests")
    yield opened
    opened.logout()
    opened("close")()


@pytest.fixture
def vdi(pool: Running, session: Any) -> str:
    """Reference of a disk with something at its begin and its end."""
    ref = make_vdi(session, SIZE)
    uuid = session.xenapi.VDI.get_uuid(ref)
    write(pool, uuid, 0, b"begin")
    write(pool, uuid, SIZE // 2 + 7, b"middle")
    write(pool, uuid, SIZE - 4, b"tail")
    return ref


def make_vdi(session: Any, size: int, kind: str = "nfs") -> str:
    sr = next(ref for ref, record in session.xenapi.SR.get_all_records().items() if record["type"] == kind)
    record = {"SR": sr, "virtual_size": str(size), "type": "user", "sharable": False, "read_only": False}
    return str(session.xenapi.VDI.create(record | {"other_config": {}, "name_label": "test"}))


def small_vm(session: Any) -> str:
    """A halted VM with one disk of 4 MiB."""
    (template,) = session.xenapi.VM.get_by_name_label("Debian Bookworm 12")
    vm = str(session.xenapi.VM.clone(template, "small"))
    asked = f'<provision><disk device="0" size="{4 * MIB}" sr="" bootable="true" type="system"/></provision>'
    session.xenapi.VM.remove_from_other_config(vm, "disks")
    session.xenapi.VM.add_to_other_config(vm, "disks", asked)
    session.xenapi.VM.provision(vm)
    return vm


def write(pool: Running, uuid: str, offset: int, content: bytes) -> None:
    pool.act("disk", vdi=uuid, offset=offset, write=base64.b64encode(content).decode(), digest=False)


def exchange(
    pool: Running, session: Any, method: str, path: str, body: bytes | None = None, **query: str
) -> tuple[http.client.HTTPResponse, http.client.HTTPSConnection]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", pool.members[0]["port"], timeout=60, context=context)
    headers = {"Cookie": f"session_id={session._session}"}
    connection.request(method, f"{path}?{urlencode(query)}", body, headers)
    return connection.getresponse(), connection


def outcome(session: Any, task: str) -> tuple[str, list[str], str]:
    """Wait until a task is over, destroy it, and return its status, error and result."""
    for _ in range(3000):
        record = session.xenapi.task.get_record(task)
        if record["status"] not in ("pending", "cancelling"):
            break
        time.sleep(0.01)
    session.xenapi.task.destroy(task)
    return record["status"], record["error_info"], record["result"]


def failure(call: Any, *arguments: Any) -> list[str]:
    with pytest.raises(XenAPI.Failure) as caught:
        call(*arguments)
    return list(caught.value.details)


def test_a_raw_export_has_the_bytes_of_the_disk(pool: Running, session: Any, vdi: str) -> None:
    task = session.xenapi.task.create("export", "")
    answer, connection = exchange(pool, session, "GET", "/export_raw_vdi", vdi=vdi, format="raw", task_id=task)
    digest, length = hashlib.sha256(), 0
    while piece := answer.read(4 * MIB):
        digest.update(piece)
        length += len(piece)
    connection.close()
    assert length == SIZE
    assert answer.getheader("task-id") == task
    told = pool.act("disk", vdi=session.xenapi.VDI.get_uuid(vdi))
    assert digest.hexdigest() == told["sha256"]
    assert outcome(session, task) == ("success", [], "")


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_a_vhd_export_is_small_and_qemu_reads_the_same_disk(
    pool: Running, session: Any, vdi: str, tmp_path: Path
) -> None:
    pool.reset_counts()
    answer, connection = exchange(pool, session, "GET", "/export_raw_vdi", vdi=vdi, format="vhd")
    image, raw = tmp_path / "disk.vhd", tmp_path / "disk.raw"
    image.write_bytes(answer.read())
    connection.close()
    assert image.stat().st_size < 8 * MIB
    assert pool.bytes_sent() == {"/export_raw_vdi": image.stat().st_size}
    source = f"driver=vpc,force_size_calc=current_size,file.filename={image}"
    subprocess.run(["qemu-img", "convert", "--image-opts", "-O", "raw", source, str(raw)], check=True)
    with raw.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert digest == pool.act("disk", vdi=session.xenapi.VDI.get_uuid(vdi))["sha256"]


def test_an_export_is_imported_as_the_same_disk(pool: Running, session: Any, vdi: str) -> None:
    answer, connection = exchange(pool, session, "GET", "/export_raw_vdi", vdi=vdi, format="vhd")
    content = answer.read()
    connection.close()
    other = make_vdi(session, SIZE)
    task = session.xenapi.task.create("import", "")
    answer, connection = exchange(
        pool, session, "PUT", "/import_raw_vdi", content, vdi=other, format="vhd", task_id=task
    )
    assert answer.status == 200
    connection.close()
    assert outcome(session, task) == ("success", [], f"<value>{other}</value>")
    written = [pool.act("disk", vdi=session.xenapi.VDI.get_uuid(ref), digest=False) for ref in (vdi, other)]
    assert written[0] == written[1]


def test_how_an_import_ends_is_told_by_the_task(pool: Running, session: Any) -> None:
    disk = make_vdi(session, 2 * MIB)
    task = session.xenapi.task.create("import", "")
    answer, connection = exchange(
        pool, session, "PUT", "/import_raw_vdi", b"no image", vdi=disk, format="vhd", task_id=task
    )
    assert answer.status == 200
    connection.close()
    status, error, _ = outcome(session, task)
    assert (status, error[0]) == ("failure", "INTERNAL_ERROR")


def test_a_redirect_leads_to_the_host_that_has_the_disk(pool: Running, session: Any) -> None:
    disk = make_vdi(session, 2 * MIB, "ext")
    answer, connection = exchange(pool, session, "GET", "/export_raw_vdi", vdi=disk)
    assert answer.status == 302
    assert str(answer.getheader("Location")).startswith(f"https://{pool.members[1]['address']}/export_raw_vdi?")
    connection.close()


def test_who_has_no_session_gets_no_disk(pool: Running, session: Any, vdi: str) -> None:
    class Nobody:
        _session = "OpaqueRef:none"

    answer, connection = exchange(pool, Nobody(), "GET", "/export_raw_vdi", vdi=vdi)
    assert answer.status == 401
    connection.close()


def test_a_vm_is_exported_and_imported(pool: Running, session: Any) -> None:
    vm = small_vm(session)
    before = set(session.xenapi.VM.get_all())
    answer, connection = exchange(pool, session, "GET", "/export", uuid=session.xenapi.VM.get_uuid(vm))
    content = answer.read()
    connection.close()
    answer, connection = exchange(pool, session, "PUT", "/import", content)
    assert answer.status == 200
    task = str(answer.getheader("task-id"))
    connection.close()
    status, error, result = outcome(session, task)
    assert (status, error) == ("success", [])
    (new,) = set(session.xenapi.VM.get_all()) - before
    assert new in result
    assert session.xenapi.VM.get_name_label(new) == "small"
    assert len(session.xenapi.VM.get_VBDs(new)) == 1
    assert session.xenapi.VM.get_power_state(new) == "Halted"


@pytest.mark.skipif(shutil.which("nbdcopy") is None, reason="nbdcopy of libnbd is not installed")
def test_a_disk_is_copied_over_nbd(pool: Running, session: Any, tmp_path: Path) -> None:
    disk = make_vdi(session, 16 * MIB)
    uuid = session.xenapi.VDI.get_uuid(disk)
    write(pool, uuid, 5 * MIB, b"content")
    told = session.xenapi.VDI.get_nbd_info(disk)
    assert {one["address"] for one in told} == {member["address"] for member in pool.members}
    assert len({one["cert"] for one in told}) == len(pool.members)
    (tmp_path / "ca-cert.pem").write_text(told[0]["cert"])
    copy = tmp_path / "copy.raw"
    name = quote(told[0]["exportname"], safe="")
    pool.reset_counts()
    source = f"nbds://127.0.0.1:{told[0]['port']}/{name}?tls-certificates={tmp_path}"
    subprocess.run(["nbdcopy", source, str(copy)], check=True, timeout=60)
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == pool.act("disk", vdi=uuid)["sha256"]
    assert pool.bytes_sent() == {"nbd": 16 * MIB}


def test_a_client_sees_drives_come_and_go(session: Any) -> None:
    records = session.xenapi.VM.get_all_records()
    vm = next(
        ref
        for ref, one in records.items()
        if one["power_state"] == "Running" and not one["is_control_domain"] and one["guest_metrics"] != "OpaqueRef:NULL"
    )
    disk = make_vdi(session, 2 * MIB)
    record = {"VM": vm, "VDI": disk, "userdevice": "autodetect", "bootable": False, "mode": "RW", "type": "Disk"}
    more = {"empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}}
    vbd = session.xenapi.VBD.create(record | more)
    assert "plug" in session.xenapi.VBD.get_allowed_operations(vbd)
    session.xenapi.VBD.plug(vbd)
    assert "destroy" not in session.xenapi.VDI.get_allowed_operations(disk)
    assert failure(session.xenapi.VDI.destroy, disk) == ["VDI_IN_USE", disk, "destroy"]
    session.xenapi.VBD.unplug(vbd)
    session.xenapi.VBD.destroy(vbd)
    session.xenapi.VDI.destroy(disk)
    assert failure(session.xenapi.VDI.get_record, disk) == ["HANDLE_INVALID", "VDI", disk]


def test_a_client_reads_what_changed_between_snapshots(pool: Running, session: Any) -> None:
    disk = make_vdi(session, 8 * MIB)
    session.xenapi.VDI.enable_cbt(disk)
    uuid = session.xenapi.VDI.get_uuid(disk)
    first = session.xenapi.VDI.snapshot(disk)
    write(pool, uuid, 2 * 65536, b"changed")
    second = session.xenapi.VDI.snapshot(disk)
    bitmap = base64.b64decode(session.xenapi.VDI.list_changed_blocks(first, second))
    assert bitmap == bytes([0b00100000]) + bytes(15)
    session.xenapi.VDI.data_destroy(first)
    assert base64.b64decode(session.xenapi.VDI.list_changed_blocks(first, second)) == bitmap
    assert failure(session.xenapi.VDI.get_nbd_info, first) == ["VDI_INCOMPATIBLE_TYPE", first, "cbt_metadata"]


def test_disks_without_a_drive_are_counted(pool: Running, session: Any) -> None:
    before = pool.act("vdis")
    disk = make_vdi(session, 2 * MIB)
    after = pool.act("vdis")
    assert after["count"] == before["count"] + 1
    assert set(after["without_drive"]) - set(before["without_drive"]) == {session.xenapi.VDI.get_uuid(disk)}
    session.xenapi.VDI.destroy(disk)
    assert pool.act("vdis")["count"] == before["count"]


def test_a_client_that_goes_away_lets_go_of_the_disk(pool: Running, session: Any, vdi: str) -> None:
    answer, connection = exchange(pool, session, "GET", "/export_raw_vdi", vdi=vdi, format="raw")
    answer.read(MIB)
    assert "destroy" not in session.xenapi.VDI.get_allowed_operations(vdi)
    answer.close()
    connection.close()
    session.xenapi.VDI.destroy(vdi)


def test_a_transfer_whose_task_is_cancelled_ends(pool: Running, session: Any, vdi: str) -> None:
    task = session.xenapi.task.create("export", "")
    answer, connection = exchange(pool, session, "GET", "/export_raw_vdi", vdi=vdi, format="raw", task_id=task)
    session.xenapi.task.cancel(task)
    length = sum(len(piece) for piece in iter(lambda: answer.read(4 * MIB), b""))
    connection.close()
    assert length < SIZE
    assert outcome(session, task)[0] == "cancelled"
