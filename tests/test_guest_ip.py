"""Addresses that guests tell, for drivers: one spelling, and none that leads nowhere."""

from __future__ import annotations

import pytest

from hvsdk.driver import guest_ip, prefix_length


@pytest.mark.parametrize(
    ("told", "ip"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7\n", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("FE80::0001%12", "fe80::1"),
        ("169.254.3.4", "169.254.3.4"),
    ],
)
def test_an_address_has_one_spelling(told, ip):
    assert guest_ip(told) == ip


@pytest.mark.parametrize(
    "told",
    [
        "",
        "127.0.0.1",
        "127.3.2.1",
        "::1",
        "0.0.0.0",
        "::",
        "192.0.2",
        "192.0.2.7/24",
        "web",
        "%",
        "1.2.3.4;5",
        "x" * 9999,
    ],
)
def test_what_is_none_or_leads_nowhere_is_none(told):
    assert guest_ip(told) is None


@pytest.mark.parametrize(
    ("ip", "told", "length"),
    [
        ("192.0.2.7", 24, 24),
        ("192.0.2.7", "24", 24),
        ("192.0.2.7", 33, None),
        ("2001:db8::1", 64, 64),
        ("2001:db8::1", "129", None),
        ("192.0.2.7", 0, None),
        ("192.0.2.7", "", None),
        ("192.0.2.7", "-1", None),
        ("192.0.2.7", "²", None),
        ("192.0.2.7", "9" * 9999, None),
        ("192.0.2.7", None, None),
    ],
)
def test_a_prefix_is_told_where_it_can_be_one(ip, told, length):
    assert prefix_length(ip, told) == length
