"""Tags: vCenter's own where there are some, and those that lie in `extraConfig` elsewhere."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from vmware_support import Raw, connect, opened, soon

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._extra_config import TAGS_KEY

TAGGING = "/rest/com/vmware/cis/tagging/"
SESSION = "/rest/com/vmware/cis/session"
NEWER_TAGGING = "/api/cis/tagging/"
NEWER_SESSION = "/api/session"
HOSTILE = ("müller & söhne", '"', "a/b?c=d#e", "%2f", "Team:owner", "<x>", "x" * 80, "inside out")


class OtherClient:
    """Somebody else who uses vCenter's tags."""

    def __init__(self, center: Running) -> None:
        url = urlsplit(center.url)
        self._base = f"{'https' if center.fingerprint else 'http'}://{url.hostname}:{url.port}"
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        login = base64.b64encode(f"{center.username}:{center.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self._headers = {"vmware-api-session-id": self("POST", SESSION)}

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._base + path, data, self._headers, method=method)
        with urllib.request.urlopen(request, context=self._context, timeout=20) as response:
            text = response.read()
        return json.loads(text).get("value") if text.strip() else None

    def make_category(self, name: str) -> str:
        spec = {"name": name, "description": "", "cardinality": "MULTIPLE", "associable_types": []}
        return str(self("POST", TAGGING + "category", {"create_spec": spec}))

    def make_tag(self, category: str, name: str) -> str:
        spec = {"name": name, "description": "", "category_id": category}
        return str(self("POST", TAGGING + "tag", {"create_spec": spec}))

    def attach(self, tag: str, native_id: str) -> None:
        body = {"object_id": {"id": native_id, "type": "VirtualMachine"}}
        self("POST", f"{TAGGING}tag-association/id:{tag}?~action=attach", body)

    def attached(self, native_id: str) -> set[str]:
        body = {"object_ids": [{"id": native_id, "type": "VirtualMachine"}]}
        told = self("POST", f"{TAGGING}tag-association?~action=list-attached-tags-on-objects", body)
        ids = [tag for entry in told or () for tag in entry["tag_ids"] or ()]
        return {self("GET", f"{TAGGING}tag/id:{tag}")["name"] for tag in ids}

    def categories(self) -> list[dict[str, Any]]:
        return [self("GET", f"{TAGGING}category/id:{key}") for key in self("GET", TAGGING + "category") or ()]


@pytest.fixture
def own(make_center: Callable[..., Running]) -> Running:
    """A vCenter of the test's own, whose tags nobody else has seen."""
    return make_center()


@pytest.fixture
def other(own: Running) -> OtherClient:
    return OtherClient(own)


@pytest.fixture
def own_host(own: Running) -> Iterator[hvsdk.Host]:
    with connect(own) as host:
        yield host


def first(host: hvsdk.Host) -> hvsdk.Domain:
    return min(host.domains(), key=lambda each: each.name).refresh()


# ---- round trips -----------------------------------------------------------------------------------------


def test_tags_are_vcenters_own(own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    domain.set_tags({"web", "prod"})
    assert domain.tags == {"web", "prod"}
    assert other.attached(domain.native_id) == {"web", "prod"}
    (category,) = other.categories()
    assert (category["name"], category["cardinality"]) == ("hvsdk", "MULTIPLE")
    assert category["associable_types"] == ["VirtualMachine"]


def test_tags_are_changed_and_taken_away(own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    for tags in ({"a", "b"}, {"b", "c"}, set(), {"a"}):
        domain.set_tags(tags)
        assert domain.tags == tags
        assert domain.refresh().tags == tags
    assert other.attached(domain.native_id) == {"a"}


@pytest.mark.parametrize("tag", HOSTILE)
def test_any_text_is_a_tag(host: hvsdk.Host, domain: hvsdk.Domain, tag: str) -> None:
    domain.set_tags({tag})
    assert host.domain(domain.native_id).tags == {tag}
    domain.set_tags(set())
    assert host.domain(domain.native_id).tags == frozenset()


def test_a_tag_is_made_once_for_all_domains(own_host: hvsdk.Host, other: OtherClient) -> None:
    for domain in own_host.domains():
        domain.set_tags({"shared"})
    assert len(other("GET", TAGGING + "tag")) == 1
    assert {domain.name for domain in own_host.domains(tag="shared")} == {domain.name for domain in own_host.domains()}


# ---- tags of other categories ----------------------------------------------------------------------------


def test_tags_of_other_categories_are_shown_with_it(own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    other.attach(other.make_tag(other.make_category("Backup"), "daily"), domain.native_id)
    assert domain.refresh().tags == {"Backup:daily"}
    assert [one.native_id for one in own_host.domains(tag="Backup:daily")] == [domain.native_id]


def test_tags_of_other_categories_stay(own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    other.attach(other.make_tag(other.make_category("Backup"), "daily"), domain.native_id)
    domain.set_tags({"web"})
    assert domain.tags == {"web", "Backup:daily"}
    domain.set_tags(set())
    assert domain.tags == {"Backup:daily"}


def test_tags_of_other_categories_go_when_that_is_asked_for(own: Running, other: OtherClient) -> None:
    with connect(own, detach_other_tags=True) as host:
        domain = first(host)
        category = other.make_category("Backup")
        for tag in ("daily", "weekly"):
            other.attach(other.make_tag(category, tag), domain.native_id)
        domain.set_tags({"web", "Backup:weekly"})
        assert domain.tags == {"web", "Backup:weekly"}
        assert other.attached(domain.native_id) == {"web", "weekly"}


def test_a_tag_of_another_category_is_given_by_its_full_name(own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    other.make_tag(other.make_category("Backup"), "daily")
    domain.set_tags({"Backup:daily", "Backup:never"})
    assert domain.tags == {"Backup:daily", "Backup:never"}
    assert other.attached(domain.native_id) == {"daily", "Backup:never"}, "there was no such tag in that category"


def test_a_tag_that_is_gone_is_not_shown(own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    domain.set_tags({"web"})
    (tag,) = other("GET", TAGGING + "tag")
    other("DELETE", f"{TAGGING}tag/id:{tag}")
    assert domain.refresh().tags == frozenset()


# ---- the newer dialect -----------------------------------------------------------------------------------


@pytest.fixture
def newest(own: Running, other: OtherClient) -> Iterator[hvsdk.Host]:
    """A host on a vCenter that lets nobody in any more in the older dialect; the other client is in already."""
    own.fault(f"{SESSION}:http-404")
    with connect(own) as host:
        yield host


def test_the_newer_dialect_tells_and_changes_the_same_tags(newest: hvsdk.Host, other: OtherClient) -> None:
    domain = first(newest)
    other.attach(other.make_tag(other.make_category("Backup"), "daily"), domain.native_id)
    assert domain.refresh().tags == {"Backup:daily"}
    for tags in ({"a", "b"}, {"b", *HOSTILE}, set(), {"a"}):
        domain.set_tags(tags)
        assert domain.refresh().tags == {"Backup:daily", *tags}
        assert other.attached(domain.native_id) == {"daily", *tags}
    assert sorted(category["name"] for category in other.categories()) == ["Backup", "hvsdk"]


def test_the_newer_dialect_renews_its_session_and_ends_it(own: Running, newest: hvsdk.Host) -> None:
    domain = first(newest)
    domain.set_tags({"web"})
    own.fault(f"{NEWER_TAGGING}tag-association:http-401:1")
    own.reset_counts()
    assert domain.refresh().tags == {"web"}
    assert own.counts()[NEWER_SESSION] == 1
    newest.close()
    assert own.counts()[NEWER_SESSION] == 2


def test_refusals_of_the_newer_dialect_are_told_and_taken_back(
    own: Running, newest: hvsdk.Host, other: OtherClient
) -> None:
    domain = first(newest)
    own.fault(f"POST {NEWER_TAGGING}category:http-403:1")
    with pytest.raises(errors.PermissionDeniedError, match=r"InventoryService\.Tagging\.CreateCategory"):
        domain.set_tags({"a", "b"})
    domain.set_tags({"a", "b"})
    own.fault(f"{NEWER_TAGGING}tag-association?action=detach*:http-403:1")
    with pytest.raises(errors.PermissionDeniedError, match=r"InventoryService\.Tagging\.AttachTag"):
        domain.set_tags({"b", "c"})
    assert other.attached(domain.native_id) == {"a", "b"}
    assert domain.refresh().tags == {"a", "b"}


# ---- emulation -------------------------------------------------------------------------------------------


def test_a_host_by_itself_keeps_tags_in_the_configuration(esxi: Running) -> None:
    with connect(esxi) as host:
        domain = first(host)
        esxi.reset_counts()
        domain.set_tags({"web"})
        assert domain.tags == {"web"}
        assert not [name for name in esxi.counts() if name.startswith("/rest")]
        domain.set_tags(set())
        assert domain.tags == frozenset()


def test_tags_in_the_configuration_are_shown_and_move_to_vcenter(own: Running, other: OtherClient) -> None:
    with opened(own) as driver:
        listed = driver.list_domains(frozenset(), deadline=soon())
        key = next(info.native_id for info in listed if not info.is_template)
        driver.write_extra_config(key, {TAGS_KEY: '["old"]'}, soon())
        assert driver.get_domain(key, frozenset({"config"}), deadline=soon()).tags == {"old"}
        driver.set_tags(key, frozenset({"old", "new"}), deadline=soon())
        assert driver.get_domain(key, frozenset({"config"}), deadline=soon()).tags == {"old", "new"}
        assert other.attached(key) == {"old", "new"}
        driver.set_tags(key, frozenset(), deadline=soon())
        assert driver.get_domain(key, frozenset({"config"}), deadline=soon()).tags == frozenset()


def test_a_vcenter_without_the_service_keeps_tags_in_the_configuration(own: Running, other: OtherClient) -> None:
    for session in (SESSION, NEWER_SESSION):
        own.fault(f"{session}:http-404")
    with connect(own) as host:
        domain = first(host)
        domain.set_tags({"web"})
        assert domain.refresh().tags == {"web"}
        assert "vmware.tags_unknown" not in domain.details
        assert other.attached(domain.native_id) == set()
        assert other.categories() == []
        assert own.counts()[SESSION] == 2, "the other client's, and one that was told that there is none"


@pytest.mark.parametrize("status", [401, 403])
def test_a_vcenter_that_lets_this_user_see_no_tags_says_so(own: Running, other: OtherClient, status: int) -> None:
    own.fault(f"{SESSION}:http-{status}")
    with connect(own) as host:
        domain = first(host)
        domain.set_tags({"web"})
        for _ in range(2):
            assert domain.refresh().tags == {"web"}
            assert f"refuses the login ({status})" in domain.details["vmware.tags_unknown"]
        assert other.attached(domain.native_id) == set()
        assert own.counts()[SESSION] == 2, "the other client's, and one that was refused"


# ---- what goes wrong -------------------------------------------------------------------------------------


def test_a_service_that_is_down_hides_tags_and_nothing_else(own: Running, own_host: hvsdk.Host) -> None:
    domain = first(own_host)
    domain.set_tags({"web"})
    own.fault(f"{TAGGING}tag-association:http-500")
    assert domain.refresh().tags == frozenset()
    assert "500" in domain.details["vmware.tags_unknown"]
    (listed,) = own_host.domains(name=domain.name, full=True)
    assert "500" in listed.details["vmware.tags_unknown"]
    with pytest.raises(errors.OperationFailedError, match="500"):
        domain.set_tags({"db"})
    own.clear_faults()
    assert domain.refresh().tags == {"web"}
    assert "vmware.tags_unknown" not in domain.details


def test_a_service_that_hangs_holds_up_one_read_and_no_more(own: Running) -> None:
    with connect(own, timeout=2.0) as host:
        domain = first(host)
        domain.set_tags({"web"})
        own.fault(f"{TAGGING}tag-association:freeze")
        began = time.monotonic()
        for _ in range(5):
            assert "in time" in domain.refresh().details["vmware.tags_unknown"]
        assert time.monotonic() - began < 5
        domain.start()
        assert domain.power_state == "running"


def test_a_service_that_lets_nobody_in_any_more_hides_tags_and_is_not_asked_again(own: Running) -> None:
    with connect(own) as host:
        domain = first(host)
        own.fault(f"{TAGGING}tag-association:http-401")
        own.fault(f"{SESSION}:http-401")
        own.reset_counts()
        for _ in range(3):
            assert "refused" in domain.refresh().details["vmware.tags_unknown"]
        assert own.counts()[SESSION] == 1, "a password that is refused again and again locks the account"


def test_a_session_that_has_expired_is_renewed(own: Running, own_host: hvsdk.Host) -> None:
    domain = first(own_host)
    domain.set_tags({"web"})
    own.fault(f"{TAGGING}tag-association:http-401:1")
    own.reset_counts()
    assert domain.refresh().tags == {"web"}
    assert own.counts()[SESSION] == 1


def test_a_broken_connection_is_used_no_more(own: Running, own_host: hvsdk.Host) -> None:
    domain = first(own_host)
    domain.set_tags({"web"})
    for fault in ("drop-before", "drop-after"):
        own.fault(f"{TAGGING}tag-association:{fault}:1")
        assert domain.refresh().tags == {"web"}


def test_what_fails_half_way_is_taken_back(own: Running, own_host: hvsdk.Host, other: OtherClient) -> None:
    domain = first(own_host)
    domain.set_tags({"a", "b"})
    own.fault(f"{TAGGING}tag-association?~action=detach*:http-500:1")
    with pytest.raises(errors.OperationFailedError, match="500"):
        domain.set_tags({"b", "c"})
    assert other.attached(domain.native_id) == {"a", "b"}


def test_a_domain_that_is_gone_is_not_found(driver: VmwareDriver) -> None:
    from pyVmomi import vmodl

    with pytest.raises((errors.DomainNotFoundError, vmodl.fault.ManagedObjectNotFound)):
        driver.set_tags("vm-999999", frozenset({"web"}), deadline=soon())


# ---- round trips of the wire -----------------------------------------------------------------------------


def test_a_listing_asks_once_for_the_tags_of_all(own: Running, own_host: hvsdk.Host) -> None:
    for domain in own_host.domains():
        domain.set_tags({"web", domain.name})
    own_host.domains(include=["config"])
    own.reset_counts()
    own_host.domains(include=["config"])
    assert {name: count for name, count in own.counts().items() if "/" in name} == {f"{TAGGING}tag-association": 1}


def test_a_summary_does_not_ask_for_tags(own: Running, own_host: hvsdk.Host) -> None:
    own_host.domains()
    own.reset_counts()
    own_host.domains()
    assert not [name for name in own.counts() if "/" in name]


def test_a_user_who_may_not_make_or_give_tags_is_told_what_it_takes(
    own: Running, own_host: hvsdk.Host, other: OtherClient
) -> None:
    domain = first(own_host)
    refusals = {
        f"POST {TAGGING}category": r"InventoryService\.Tagging\.CreateCategory.*administrator",
        f"POST {TAGGING}tag": r"InventoryService\.Tagging\.CreateTag",
        f"{TAGGING}tag-association?~action=attach*": r"InventoryService\.Tagging\.AttachTag",
    }
    for path, told in refusals.items():
        own.fault(f"{path}:http-403")
        with pytest.raises(errors.PermissionDeniedError, match=told):
            domain.set_tags({"web"})
        own.clear_faults()
    assert other.attached(domain.native_id) == set()
    domain.set_tags({"web"})


def test_closing_ends_the_rest_session(own: Running, raw: Raw) -> None:
    with opened(own) as driver:
        driver.list_domains(frozenset({"config"}), deadline=soon())
        own.reset_counts()
    assert own.counts().get(SESSION) == 1
