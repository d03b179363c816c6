"""Daemons reached over TLS and TCP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hvsdk
import pytest
from hvsdk import errors
from hvsdk.driver import KeyCredentials
from hvsdk_testbed.certs import Certificates, make_certificates
from hvsdk_testbed.libvirtd import PrivateLibvirtd


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def listening(certificates: Certificates) -> Iterator[PrivateLibvirtd]:
    with PrivateLibvirtd(network="host", tls=certificates, tcp=True) as daemon:
        yield daemon


def url(listening: PrivateLibvirtd) -> str:
    return f"qemu+tls://localhost:{listening.tls_port}/system"


def test_pkipath_names_the_certificates(listening: PrivateLibvirtd, certificates: Certificates) -> None:
    with hvsdk.connect(url(listening), pkipath=str(certificates.client_directory)) as host:
        assert host.info().name == listening.hostname
        assert str(certificates.client_directory) not in repr(host)


def test_libvirts_own_parameter_passes(listening: PrivateLibvirtd) -> None:
    with hvsdk.connect(listening.tls_uri) as host:
        assert host.info().name == listening.hostname


def test_a_ca_file_and_a_client_certificate_are_enough(listening: PrivateLibvirtd, certificates: Certificates) -> None:
    directory = certificates.client_directory
    key = KeyCredentials(key_file=str(directory / "clientkey.pem"), certificate_file=str(directory / "clientcert.pem"))
    with hvsdk.connect(url(listening), verify=str(certificates.authority), password=key) as host:
        assert host.info().name == listening.hostname


def test_a_server_of_another_authority_is_refused(listening: PrivateLibvirtd, tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "other")
    with pytest.raises(errors.CertificateError):
        hvsdk.connect(url(listening), pkipath=str(other.client_directory)).info()


def test_a_directory_without_the_authoritys_certificate_is_named(listening: PrivateLibvirtd, tmp_path: Path) -> None:
    with pytest.raises(errors.CertificateError, match="pkipath"):
        hvsdk.connect(url(listening), pkipath=str(tmp_path)).info()


def test_plain_tcp_works_on_loopback(listening: PrivateLibvirtd) -> None:
    with hvsdk.connect(listening.tcp_uri) as host:
        assert host.info().name == listening.hostname


def test_nobody_listening_is_a_connect_error() -> None:
    with pytest.raises(errors.ConnectError):
        hvsdk.connect("qemu+tcp://127.0.0.1:1/system").info()


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match="pkipath"):
        hvsdk.connect("qemu:///system", pki="/x")
