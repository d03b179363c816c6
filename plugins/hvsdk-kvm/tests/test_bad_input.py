"""What the world does to a connection: wrong addresses, refused logins, daemons that end or lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hvsdk
import pytest
from hvsdk import EventKind, errors
from hvsdk_testbed.bootsector import make_disk
from hvsdk_testbed.certs import make_certificates
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from kvm_support import eventually
from rpc_proxy import PROC_DOMAIN_SUSPEND, RpcProxy


@pytest.fixture
def own() -> Iterator[PrivateLibvirtd]:
    """A daemon that may be killed."""
    with PrivateLibvirtd() as daemon:
        yield daemon


def define(host: hvsdk.Host, daemon: PrivateLibvirtd, name: str = "web") -> hvsdk.Domain:
    disk = make_disk(daemon.pool_directory / f"{name}.qcow2", name)
    host.native().defineXML(domain_xml(name, [DiskXML(path=disk)]))
    return host.domain(name)


# ---- where nobody answers, or not to us ------------------------------------------------------------------


def test_an_unknown_scheme_names_those_that_are_there() -> None:
    with pytest.raises(errors.UnknownBackendError, match="kvm"):
        hvsdk.connect("qemux:///system")


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(errors.HvsdkError, match="carrier"):
        hvsdk.connect("qemu+carrier-pigeon:///system").info()


@pytest.mark.parametrize("transport", ["tls", "ssh"])
def test_a_host_that_does_not_exist_is_a_connect_error(transport: str) -> None:
    with pytest.raises(errors.ConnectError, match=r"no-such-host\.invalid"):
        hvsdk.connect(f"qemu+{transport}://no-such-host.invalid/system", timeout=20).info()


def test_a_socket_that_is_not_there_is_a_connect_error(tmp_path: Path) -> None:
    with pytest.raises(errors.ConnectError):
        hvsdk.connect(f"qemu+unix:///system?socket={tmp_path}/none").info()


def test_a_client_whom_the_daemon_does_not_trust_is_refused(tmp_path: Path) -> None:
    trusted, other = make_certificates(tmp_path / "trusted"), make_certificates(tmp_path / "other")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    for name, directory in (
        ("cacert.pem", trusted.client_directory),
        ("clientcert.pem", other.client_directory),
        ("clientkey.pem", other.client_directory),
    ):
        (stranger / name).write_bytes((directory / name).read_bytes())
    with (
        PrivateLibvirtd(network="host", tls=trusted) as daemon,
        pytest.raises((errors.AuthenticationError, errors.ConnectError)) as refused,
    ):
        hvsdk.connect(f"qemu+tls://localhost:{daemon.tls_port}/system", pkipath=str(stranger)).info()
    assert refused.value.hint


# ---- daemons that end ------------------------------------------------------------------------------------


def test_a_change_whose_daemon_dies_has_an_unknown_outcome(own: PrivateLibvirtd) -> None:
    with RpcProxy(own.socket_path) as proxy, hvsdk.connect(proxy.uri) as host:
        web = define(host, own)
        web.start()
        proxy.on_call = lambda procedure: own.kill() if procedure == PROC_DOMAIN_SUSPEND else None
        with pytest.raises(errors.OutcomeUnknownError):
            web.pause()
        proxy.on_call = None
        own.start()
        assert web.refresh().power_state == "running"
        web.pause()
        assert web.power_state == "paused"


def test_a_watch_tells_the_loss_the_return_and_what_changed_between(own: PrivateLibvirtd) -> None:
    with hvsdk.connect(own.uri) as host, hvsdk.connect(own.uri) as other, host.watch() as watch:
        kept, gone = define(other, own, "kept"), define(other, own, "gone")
        told: list[hvsdk.Event] = []
        assert eventually(lambda: sum(event.kind is EventKind.DEFINED for event in _take(watch, told)) == 2)
        told.clear()
        own.kill()
        assert eventually(lambda: EventKind.HOST_LOST in {event.kind for event in _take(watch, told)})
        (own.state_directory / "etc" / "qemu" / "gone.xml").unlink()  # somebody changes it while nobody is connected
        own.start()
        assert eventually(lambda: EventKind.REMOVED in {event.kind for event in _take(watch, told)})
        kinds = [event.kind for event in told]
        assert kinds == [EventKind.HOST_LOST, EventKind.HOST_BACK, EventKind.REMOVED]
        assert told[-1].before is not None
        assert told[-1].before.native_id == gone.native_id
        assert host.domains() == [host.domain(kept.native_id)]


def _take(watch: hvsdk.Watch, told: list[hvsdk.Event]) -> list[hvsdk.Event]:
    event = watch.get(timeout=0.5)
    if event is not None:
        told.append(event)
    return told


# ---- daemons that lie ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b"</domain>", b"</domain "),
        (b"<vcpu placement=", b"<!DOCTYPE a [<! "),
        (b"<devices>", b"<device\x01>"),
    ],
    ids=["cut off", "a document type", "a character that cannot be"],
)
def test_an_answer_that_is_no_xml_is_an_error_of_ours(own: PrivateLibvirtd, said: bytes, instead: bytes) -> None:
    with RpcProxy(own.socket_path) as proxy, hvsdk.connect(proxy.uri) as host:
        define(host, own)
        assert len(said) == len(instead)
        with hvsdk.connect(proxy.uri, timeout=20) as lied_to:
            proxy.falsify = (said, instead)
            assert [domain.name for domain in lied_to.domains()] == ["web"]
            with pytest.raises(errors.OperationFailedError) as told:
                lied_to.domain("web")
            assert told.value.backend == "kvm"
            proxy.falsify = None
            assert lied_to.domain("web").name == "web"


def test_an_answer_with_sizes_that_are_none_is_read_as_unknown(own: PrivateLibvirtd) -> None:
    with RpcProxy(own.socket_path) as proxy, hvsdk.connect(proxy.uri) as host:
        define(host, own)
        proxy.falsify = (b">1</vcpu>", b">-</vcpu>")
        with hvsdk.connect(proxy.uri) as lied_to:
            assert lied_to.domain("web").vcpus in (None, 1)


# ---- what libvirt refuses --------------------------------------------------------------------------------


def test_a_name_is_given_once(own: PrivateLibvirtd) -> None:
    with hvsdk.connect(own.uri, virt_type="qemu") as host:
        spec = hvsdk.DomainSpec(name="web", memory="16MiB")
        host.create_domain(spec)
        with pytest.raises(errors.AlreadyExistsError, match="web"):
            host.create_domain(spec)
        other = host.create_domain(spec.replace(name="other"))
        with pytest.raises(errors.AlreadyExistsError, match="web"):
            other.rename("web")
        assert sorted(domain.name for domain in host.domains()) == ["other", "web"]
