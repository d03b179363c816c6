"""What a guest tells of itself."""

from __future__ import annotations

from typing import Any

import pytest
from hvsdk.driver import Address

from hvsdk_hyperv._guest import agent_state, guest_fields, mac_of

ITEM = (
    '<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem"><PROPERTY NAME="Caption" TYPE="string"></PROPERTY>'
    '<PROPERTY NAME="Data" TYPE="string"><VALUE>{data}</VALUE></PROPERTY>'
    '<PROPERTY NAME="Name" TYPE="string"><VALUE>{name}</VALUE></PROPERTY>'
    '<PROPERTY NAME="Source" TYPE="uint16"><VALUE>2</VALUE></PROPERTY></INSTANCE>'
)


def item(name: str, data: str) -> str:
    return ITEM.format(name=name, data=data)


def told(*items: str, heartbeat: str | None = "OkApplicationsUnknown", adapters: Any = ()) -> dict[str, Any]:
    return {"heartbeat": heartbeat, "items": list(items), "adapters": list(adapters)}


def test_addresses_name_and_system_are_told() -> None:
    adapters = [{"mac": "00155D0A0B0C", "addresses": ["10.0.0.5", "fe80::1%4", "nonsense"]}]
    fields = guest_fields(
        "Running",
        told(item("FullyQualifiedDomainName", "web.example"), item("OSName", "Debian &amp; more"), adapters=adapters),
    )
    assert fields == {
        "addresses": (
            Address(ip="10.0.0.5", source="agent", mac="00:15:5d:0a:0b:0c"),
            Address(ip="fe80::1", source="agent", mac="00:15:5d:0a:0b:0c"),
        ),
        "guest_hostname": "web.example",
        "guest_os": "Debian & more",
        "agent": "running",
    }


def test_older_guests_tell_addresses_without_an_adapter() -> None:
    fields = guest_fields(
        "Running", told(item("NetworkAddressIPv4", "127.0.0.1;10.0.0.7"), item("NetworkAddressIPv6", "fe80::2"))
    )
    assert [one.ip for one in fields["addresses"]] == ["10.0.0.7", "fe80::2"]


@pytest.mark.parametrize(
    ("state", "heartbeat", "agent"),
    [
        ("Running", "OkApplicationsHealthy", "running"),
        ("Running", "OkApplicationsCritical", "running"),
        ("Running", "NoContact", "absent"),
        ("Running", "LostCommunication", "stopped"),
        ("Running", "Disabled", "unknown"),
        ("Running", None, "unknown"),
        ("Off", "OkApplicationsHealthy", "unknown"),
        ("Paused", "Paused", "unknown"),
    ],
)
def test_the_heartbeat_tells_of_the_agent(state: str, heartbeat: str | None, agent: str) -> None:
    assert agent_state(state, heartbeat) == agent


@pytest.mark.parametrize(("state", "heartbeat"), [("Off", None), ("Saved", None), ("Running", "LostCommunication")])
def test_the_last_word_of_a_guest_that_is_not_heard_does_not_count(state: str, heartbeat: str | None) -> None:
    adapters = [{"mac": "00155D0A0B0C", "addresses": ["10.0.0.5"]}]
    fields = guest_fields(state, told(item("OSName", "x"), heartbeat=heartbeat, adapters=adapters))
    assert (fields["addresses"], fields["guest_os"]) == ((), None)


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "<",
        '<!DOCTYPE a [<!ENTITY b "c">]><PROPERTY NAME="Name"><VALUE>&b;</VALUE></PROPERTY>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + item("OSName", "&x;"),
        item("OSName", "&lt;VALUE&gt;"),
        "x" * 100_000,
    ],
)
def test_what_guests_write_is_only_text(hostile: str) -> None:
    fields = guest_fields("Running", told(hostile, item("FullyQualifiedDomainName", "web")))
    assert fields["guest_hostname"] == "web"
    assert "root:" not in str(fields["guest_os"])


@pytest.mark.parametrize(
    ("digits", "mac"),
    [("00155D0A0B0C", "00:15:5d:0a:0b:0c"), ("000000000000", None), ("", None), (None, None), ("nonsense", None)],
)
def test_macs_are_told_in_their_usual_spelling(digits: str | None, mac: str | None) -> None:
    assert mac_of(digits) == mac
