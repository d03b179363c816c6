"""Which URI libvirt gets for a target, and what is refused before it gets one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hvsdk
import pytest
from hvsdk import errors
from hvsdk.driver import KeyCredentials, PasswordCredentials, TLSOptions
from kvm_support import target_of

from hvsdk_kvm._connect import _Answers, _query, embed_root, keepalive
from hvsdk_kvm._embed_advice import embed_advice
from hvsdk_kvm._uri import check_parameters, is_remote, libvirt_uri


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("kvm://root@hv-1", "qemu+ssh://root@hv-1/system?no_tty=1"),
        ("kvm://root@hv-1/session", "qemu+ssh://root@hv-1/session?no_tty=1"),
        ("kvm:///", "qemu:///system"),
        ("qemu:///system", "qemu:///system"),
        ("qemu+ssh://hv-1:2222/system", "qemu+ssh://hv-1:2222/system?no_tty=1"),
        ("qemu+ssh://hv-1/system?no_tty=0", "qemu+ssh://hv-1/system?no_tty=0"),
        ("qemu+ssh://hv-1/system?netcat=/bin/nc", "qemu+ssh://hv-1/system?no_tty=1&netcat=/bin/nc"),
        ("qemu+libssh://hv-1/system", "qemu+libssh://hv-1/system?no_tty=1"),
        ("qemu+tls://[2001:db8::1]:16514/system", "qemu+tls://[2001:db8::1]:16514/system"),
        ("qemu+unix:///system?socket=/run/a%20b/sock", "qemu+unix:///system?socket=/run/a%20b/sock"),
        ("xen:///", "xen:///system"),
        ("test:///default", "test:///default"),
        ("test:///", "test:///default"),
        ("test:///srv/a%26b.xml", "test:///srv/a%26b.xml"),
        ("qemu:///embed?root=/srv/vms", "qemu:///embed?root=/srv/vms"),
    ],
)
def test_the_uri_is_libvirts_own(url: str, expected: str) -> None:
    assert libvirt_uri(target_of(url)) == expected


def test_a_user_name_is_quoted() -> None:
    target = hvsdk.driver.Target(url="", scheme="qemu+ssh", hostname="hv-1", username="EXAMPLE\\me@corp")
    assert libvirt_uri(target) == "qemu+ssh://EXAMPLE%5Cme%40corp@hv-1/system?no_tty=1"


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("qemu:///system", True),
        ("qemu:///embed?root=/srv", False),
        ("test:///default", False),
        ("test+unix:///default", True),
        ("test://host/default", True),
        ("xen:///system", True),
        ("kvm://host", True),
    ],
)
def test_drivers_in_this_process_are_told_from_daemons(url: str, remote: bool) -> None:
    assert is_remote(target_of(url)) is remote


def test_options_of_ssh_become_parameters() -> None:
    target = target_of("qemu+ssh://hv-1/system", options={"keyfile": "/keys/id", "no_verify": True})
    assert libvirt_uri(target) == "qemu+ssh://hv-1/system?no_tty=1&keyfile=/keys/id&no_verify=1"


def test_a_home_directory_is_written_out() -> None:
    target = target_of("kvm://hv-1", options={"keyfile": "~/id"})
    assert f"keyfile={Path('~/id').expanduser()}" in libvirt_uri(target)


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("qemu:///system", {"keyfile": "/k"}, "over ssh"),
        ("qemu+tls://h/system", {"known_hosts": "/k"}, "over ssh"),
        ("qemu+ssh://h/system", {"known_hosts": "/k"}, "libssh"),
        ("qemu+ssh://h/system", {"pkipath": "/k"}, "over TLS"),
    ],
)
def test_an_option_that_the_transport_would_ignore_is_refused(url: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidSpecError, match=words):
        libvirt_uri(target_of(url, options=options))


def test_known_hosts_reach_libssh() -> None:
    target = target_of("qemu+libssh://h/system", options={"known_hosts": "/k"})
    assert "known_hosts=/k" in libvirt_uri(target)


def test_no_verification_and_old_protocols_reach_tls() -> None:
    uri = libvirt_uri(target_of("qemu+tls://h/system", tls=TLSOptions(verify=False, legacy=True)))
    assert "no_verify=1" in uri
    assert "tls_priority=NORMAL%3A" in uri or "tls_priority=NORMAL:" in uri


def test_a_host_without_a_transport_means_tls() -> None:
    assert libvirt_uri(target_of("qemu://h/system", options={"pkipath": "/pki"})) == "qemu+tls://h/system?pkipath=/pki"


def test_a_ca_file_becomes_a_directory_for_as_long_as_it_is_needed(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("certificate")
    with _query(target_of("qemu+tls://h/system", tls=TLSOptions(ca_file=str(ca)))) as more:
        directory = Path(more["pkipath"])
        assert (directory / "cacert.pem").read_text() == "certificate"
    assert not directory.exists()


def test_key_credentials_become_the_key_of_ssh() -> None:
    found = KeyCredentials(key_file="/keys/id")
    with _query(target_of("kvm://hv-1", credentials=lambda: found)) as more:
        assert more == {"keyfile": "/keys/id"}


def test_ssh_says_that_it_takes_no_password() -> None:
    found = PasswordCredentials(password="secret")
    with (
        pytest.raises(errors.AuthenticationError, match="password") as caught,
        _query(target_of("kvm://hv-1", credentials=lambda: found)),
    ):
        pass
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("timeout", "most"), [(1.0, 2), (4.0, 4), (30.0, 30), (60.0, 60)])
def test_keepalive_notices_within_the_timeout(timeout: float, most: float) -> None:
    interval, count = keepalive(timeout)
    assert interval >= 1
    assert interval * (count + 1) <= most


def test_the_embedded_driver_needs_an_absolute_root() -> None:
    with pytest.raises(errors.InvalidSpecError, match="directory"):
        embed_root(target_of("qemu:///embed?root=vms"))
    assert embed_root(target_of("qemu:///system")) is None


def test_a_second_root_in_one_process_is_refused_with_a_reason(embed_host: hvsdk.Host, tmp_path: Path) -> None:
    with pytest.raises(errors.ConnectError, match="another process"):
        hvsdk.connect(f"qemu:///embed?root={tmp_path}").info()


def test_after_an_embedded_driver_a_local_daemon_needs_its_transport(embed_host: hvsdk.Host) -> None:
    embed_host.info()
    with pytest.raises(errors.ConnectError, match="name the daemon's transport"):
        hvsdk.connect("qemu:///system").info()


@pytest.mark.parametrize("name", ["virttype", "virt-type", "Virt_Type", "image", "print_error"])
def test_a_mistyped_option_in_the_url_is_refused(embed_host: hvsdk.Host, embed_url: str, name: str) -> None:
    embed_host.info()
    with pytest.raises(errors.InvalidSpecError, match="did you mean"):
        hvsdk.connect(f"{embed_url}&{name}=qemu").info()


@pytest.mark.parametrize("name", ["socket", "known_hosts_verify", "no_tty", "command", "tomorrows"])
def test_libvirts_own_parameters_pass(name: str) -> None:
    target = target_of(f"qemu+ssh://h/system?{name}=x")
    check_parameters(target)
    assert f"{name}=x" in libvirt_uri(target)


@pytest.mark.parametrize("kind", [2, 5])
def test_the_daemons_questions_are_answered_without_a_prompt(kind: int) -> None:
    found = PasswordCredentials(username="me", password="secret")
    answers = _Answers(target_of("qemu+tcp://127.0.0.1/system", credentials=lambda: found))
    asked: list[list[Any]] = [[kind, "?", "", None, None]]
    assert answers(asked, None) == 0
    assert asked[0][4] == ("me" if kind == 2 else "secret")


def test_missing_credentials_are_named() -> None:
    answers = _Answers(target_of("qemu+tcp://127.0.0.1/system"))
    assert answers([[2, "?", "", None, None], [5, "?", "", None, None]], None) == -1
    assert isinstance(answers.failure, errors.AuthenticationError)
    assert "a user name and a password" in str(answers.failure)


def test_a_pin_is_refused_and_the_way_out_named() -> None:
    with pytest.raises(errors.UnsupportedError, match="pkipath"):
        hvsdk.connect("qemu+tls://127.0.0.1/system", verify="sha256:" + "0" * 64)


def test_plain_tcp_over_the_network_is_refused() -> None:
    with pytest.raises(errors.UnsupportedError, match="clear text"):
        hvsdk.connect("qemu+tcp://192.0.2.1/system")


def test_what_an_embedded_root_lacks_is_said_and_never_written(tmp_path: Path, embed_root: Path) -> None:
    advice = embed_advice(tmp_path)
    assert advice is not None
    assert "stdio_handler" in advice
    assert list(tmp_path.iterdir()) == []
    assert embed_advice(embed_root) is None
