from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvsdk._url import is_loopback, parse_url


@pytest.mark.parametrize(
    "url",
    [
        "qemu:///system",
        "qemu+ssh://root@kvm-1:22/system",
        "qemu+tls://kvm-1/system?pkipath=/etc/pki&no_verify=1",
        "qemu:///embed?root=/tmp/a+b",
        "test:///srv/world.xml",
        "xenapi://root@xcp-1",
        "fake://demo?domains=10000&seed=7",
        "fake://",
        "hyperv://[2001:db8::1]:5986",
        "hyperv://[fe80::1%25eth0]:5986",
    ],
)
def test_a_url_without_a_password_stays_as_it_is(url):
    assert parse_url(url).text() == url


@pytest.mark.parametrize(
    ("url", "username", "hostname"),
    [
        ("vmware://administrator@vsphere.local@vc.example", "administrator@vsphere.local", "vc.example"),
        ("hyperv://CORP\\admin@hv-3", "CORP\\admin", "hv-3"),
        ("hyperv://CORP%5Cadmin@HV-3", "CORP\\admin", "hv-3"),
        ("hyperv://admin%40corp.example@hv-3", "admin@corp.example", "hv-3"),
        ("xenapi://@xcp-1", None, "xcp-1"),
    ],
)
def test_user_names_may_carry_a_domain(url, username, hostname):
    location = parse_url(url)
    assert (location.username, location.hostname) == (username, hostname)
    assert parse_url(location.text()) == location


def test_the_password_is_taken_and_shown_nowhere():
    location = parse_url("xenapi://root:p%40ss@xcp-1:8443/x?a=b")
    assert location.password == "p@ss"
    assert location.text() == "xenapi://root@xcp-1:8443/x?a=b"
    assert "p@ss" not in repr(location)
    assert "p%40ss" not in repr(location)


def test_a_password_may_contain_an_at_sign_and_colons():
    location = parse_url("vmware://me@corp:a@b:c@vc")
    assert (location.username, location.password, location.hostname) == ("me@corp", "a@b:c", "vc")


def test_ipv6_comes_without_brackets_and_goes_back_into_them():
    location = parse_url("xenapi://root@[2001:DB8::1]:443/")
    assert (location.hostname, location.port) == ("2001:db8::1", 443)
    assert "[2001:db8::1]:443" in location.text()


def test_query_items_are_decoded_but_kept_as_written():
    location = parse_url("qemu:///system?socket=/run/a%20b&plus=a+b")
    assert dict(location.query) == {"socket": "/run/a b", "plus": "a+b"}
    assert location.without(["socket"]).text() == "qemu:///system?plus=a+b"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("xcp-1", "no scheme"),
        ("", "no scheme"),
        ("://xcp-1", "no scheme"),
        ("xenapi://a:b:c", "brackets"),
        ("xenapi://[::1", "IPv6"),
        ("xenapi://[name]", "IPv6"),
        ("xenapi://[::1]x", "IPv6"),
        ("xenapi://x:0", "port"),
        ("xenapi://x:65536", "port"),
        ("xenapi://x:٣", "port"),
        ("xenapi://x#y", "%23"),
        ("xenapi://x y", "percent-encoded"),
        ("xenapi://x\n", "percent-encoded"),
        ("xenapi://x%0a", "characters"),
        ("qemu+ssh://-oProxyCommand=x/system", "characters"),
        ("qemu+ssh://%2doProxyCommand/system", "characters"),
        ("xenapi://a\\b", "characters"),
    ],
)
def test_what_is_no_url_is_refused_in_words(url, said):
    with pytest.raises(ValueError, match=said):
        parse_url(url)


@pytest.mark.parametrize("mark", ["/", "?", "#", "[", " ", "\n", ":", "@", "%", "\\", "&", "="])
@pytest.mark.parametrize("head", ["", "12", "S3cr3t"])
def test_a_password_that_was_not_encoded_is_never_quoted(mark, head):
    url = f"xenapi://root:{head}{mark}Hunter2@xcp-1"
    try:
        location = parse_url(url)
    except ValueError as exc:
        shown = str(exc)
    else:
        shown = location.text()
        assert location.hostname == "xcp-1"
    assert "Hunter2" not in shown
    assert "S3cr3t" not in shown


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_with_a_value_error(text):
    try:
        location = parse_url("toy://" + text)
    except ValueError:
        return
    shown = location.text()
    assert parse_url(shown).text() == shown


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_any_encoded_user_and_password_come_back(username, password):
    try:
        userinfo = f"{quote(username, safe='')}:{quote(password, safe='')}"
    except UnicodeEncodeError:
        return
    location = parse_url(f"toy://{userinfo}@host/path")
    assert (location.username, location.password, location.hostname) == (username, password, "host")


@pytest.mark.parametrize("hostname", [None, "localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_known(hostname):
    assert is_loopback(hostname)


@pytest.mark.parametrize("hostname", ["xcp-1", "10.0.0.1", "localhost.example", "::2", "0.0.0.0"])
def test_other_hosts_are_not_loopback(hostname):
    assert not is_loopback(hostname)
