"""What messages say: what was asked, of which domain, and what to do instead."""

from __future__ import annotations

import pytest

import hvsdk
from hvsdk import errors
from hvsdk.driver import Capability, PowerState, Unsupported
from hvsdk.testing.fake import control
from hvsdk.testing.fake._driver import FakeDriver


@pytest.fixture
def host():
    with hvsdk.connect("fake://demo") as host:
        yield host


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NO_SPACE", errors.InsufficientResourcesError),
        ("PERMISSION_DENIED", errors.PermissionDeniedError),
        ("NO_MEMORY", errors.InsufficientResourcesError),
    ],
)
def test_a_refusal_of_the_product_names_verb_and_domain(host, code, kind) -> None:
    control(host).fail("set_notes", code)
    with pytest.raises(kind) as caught:
        host.domain("web-1").set_notes("x")
    assert caught.value.message.startswith("set_notes of domain 'web-1' was refused: the product answered")
    assert caught.value.native_code == code


def test_a_refusal_to_make_a_domain_names_it(host) -> None:
    control(host).fail("create_domain", "NO_SPACE")
    with pytest.raises(errors.InsufficientResourcesError, match=r"^create_domain of domain 'new' was refused: "):
        host.create_domain(hvsdk.DomainSpec(name="new", memory="1GiB"))


def test_a_refusal_that_names_the_domain_is_left_as_it_is(host) -> None:
    with pytest.raises(errors.HvsdkError) as caught:
        host.domain("web-1").detach_disk(host.domain("db-1").disks[0].id + "9")
    assert "was refused" not in caught.value.message


def test_a_refusal_of_a_disk_under_way_names_the_domain(host) -> None:
    domain = host.domain("db-1")
    control(host).fail("open_disk", "PERMISSION_DENIED")
    with pytest.raises(errors.PermissionDeniedError, match=r"^open_disk of domain 'db-1' was refused: "):
        domain.open_disk(domain.disks[0])


def test_a_look_up_without_an_answer_names_the_key() -> None:
    with hvsdk.connect("fake://demo", timeout=0.2) as host:
        control(host).fail("*", "hang")
        with pytest.raises(errors.OperationTimeoutError, match=r"^no answer to domain\('web-1'\) in time"):
            host.domain("web-1")


def test_a_look_without_an_answer_is_not_told_as_an_answer_to_the_change() -> None:
    with hvsdk.connect("fake://demo", timeout=0.2) as host:
        domain = host.domain("web-1")
        control(host).fail("get_domain", "hang")
        with pytest.raises(
            errors.OperationTimeoutError, match=r"^no answer to the look at domain 'web-1' for create_snapshot in time"
        ):
            domain.create_snapshot("before")


def test_a_products_text_has_an_end(host) -> None:
    with pytest.raises(errors.HvsdkError) as caught:
        host.storage_pools()[0].create_volume(name="x" * 200, size="1GiB", format="q" * 10_000)
    assert len(caught.value.message) < 2500
    assert caught.value.message.endswith("characters more)")


def test_waiting_in_vain_speaks_of_no_request(host) -> None:
    with pytest.raises(errors.OperationTimeoutError) as caught:
        host.domain("web-1").wait_for("shutoff", timeout=0.05)
    assert "nothing was requested" in str(caught.value)
    assert "request stands" not in str(caught.value)


def test_an_empty_drive_is_no_disk_to_read(host) -> None:
    domain = host.domain("db-1")
    drive = domain.attach_disk(hvsdk.DiskSpec(device="cdrom"))
    with pytest.raises(errors.DiskNotFoundError, match="is a cdrom drive") as caught:
        domain.open_disk(drive)
    assert domain.disks[0].id in str(caught.value.hint)


def test_a_snapshot_that_is_gone_is_named(host) -> None:
    snapshot = host.domain("web-1").create_snapshot("before")
    snapshot.delete()
    with pytest.raises(errors.SnapshotNotFoundError, match="snapshot 'before' of domain 'web-1' is gone"):
        snapshot.delete()


def test_a_product_that_cannot_pause_leads_to_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {Capability.PAUSE: Unsupported("it is a lorry")}
    monkeypatch.setattr(FakeDriver, "host_limits", lambda self, *, deadline: limits)
    with hvsdk.connect("fake://demo") as host, pytest.raises(errors.UnsupportedError, match="lorry") as caught:
        host.domain("web-1").pause()
    assert "suspend()" in str(caught.value.hint)


def test_chunks_leave_out_zeros_that_no_extent_tells(host) -> None:
    pool = host.storage_pools()[0]
    volume = pool.create_volume(hvsdk.VolumeSpec(name="sparse", size="3MiB"))
    with volume.open_writer() as writer:
        writer.write(0, bytes(1 << 20))
        writer.write(1 << 20, b"\0" * 4095 + b"x")
    domain = host.create_domain(
        hvsdk.DomainSpec(name="reader", memory="1GiB", disks=[hvsdk.DiskSpec(source=volume.info.path)])
    )
    with domain.open_disk(domain.disks[0]) as reader:
        reader._reader = _Told(reader._reader)
        found = dict(reader.chunks(1 << 20))
        assert list(found) == [1 << 20]
        assert found[1 << 20].rstrip(b"\0").endswith(b"x")


class _Told:
    """A reader of a product that tells no holes."""

    def __init__(self, reader) -> None:
        self._reader = reader
        self.size = reader.size
        self.read, self.close = reader.read, reader.close

    def extents(self):
        from hvsdk.models import Extent

        return [Extent(offset=0, length=self.size, zero=False)]


def test_a_state_that_nobody_knows_is_not_told_as_a_domain_that_nobody_knows(host) -> None:
    domain = host.domain("web-1")
    control(host).set_state(domain, PowerState.UNKNOWN)
    with pytest.raises(errors.PowerStateError, match=r"is in an unknown state .*its storage may be away") as caught:
        domain.start()
    assert caught.value.state is PowerState.UNKNOWN
    assert "in an unknown state" in str(domain.refresh().why_not("start"))
