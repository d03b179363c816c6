"""The REST service of the simulator of vSphere: tags, in both of its dialects."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from hvsdk_simulators import Running
from vcsim_client import pinned, running

OLDER, NEWER = "/rest/com/vmware/cis/tagging/", "/api/cis/tagging/"
DOMAIN = {"id": "vm-1", "type": "VirtualMachine"}


class Service:
    """A session of the administrator, in the dialect that the path of the session is of."""

    def __init__(self, server: Running, session: str) -> None:
        self._base = f"https://127.0.0.1:{urlsplit(server.url).port}"
        self._context = pinned(server)
        login = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self.session = self("POST", session)[1]
        self.session = self.session["value"] if isinstance(self.session, dict) else self.session
        self._headers = {"vmware-api-session-id": self.session}

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._base + path, data, self._headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except HTTPError as refused:
            with refused:
                text = refused.read()
                return refused.code, json.loads(text) if text.startswith(b"{") else text


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=2) as started:
        yield started


@pytest.fixture
def newer(server: Running) -> Iterator[Service]:
    server.clear_faults()
    yield Service(server, "/api/session")
    server.clear_faults()


@pytest.fixture
def older(server: Running) -> Service:
    return Service(server, "/rest/com/vmware/cis/session")


def test_the_newer_dialect_answers_without_an_object_around(newer: Service) -> None:
    assert isinstance(newer.session, str)
    status, category = newer("POST", NEWER + "category", {"name": "plain", "cardinality": "MULTIPLE"})
    assert (status, type(category)) == (201, str)
    assert newer("POST", NEWER + "tag?action=list-tags-for-category", {"category_id": category}) == (200, [])
    tag = newer("POST", NEWER + "tag", {"name": 'a "b" /c', "category_id": category})[1]
    assert newer("POST", NEWER + "tag?action=list-tags-for-category", {"category_id": category}) == (200, [tag])
    told = newer("GET", f"{NEWER}tag/{tag}")[1]
    assert (told["name"], told["category_id"]) == ('a "b" /c', category)
    assert newer("DELETE", f"{NEWER}tag/{tag}") == (204, None)
    assert newer("GET", f"{NEWER}tag/{tag}") == (404, {"error_type": "NOT_FOUND", "messages": []})


def test_both_dialects_tell_of_the_same_tags(newer: Service, older: Service) -> None:
    category = newer("POST", NEWER + "category", {"name": "same", "cardinality": "MULTIPLE"})[1]
    tag = older("POST", OLDER + "tag", {"create_spec": {"name": "web", "category_id": category}})[1]["value"]
    body = {"object_id": DOMAIN, "tag_ids": [tag]}
    assert newer("POST", NEWER + "tag-association?action=attach-multiple-tags-to-object", body)[1]["success"] is True
    wish = {"object_ids": [DOMAIN]}
    told = older("POST", OLDER + "tag-association?~action=list-attached-tags-on-objects", wish)[1]["value"]
    assert told == [{"object_id": DOMAIN, "tag_ids": [tag]}]
    assert newer("POST", NEWER + "tag-association?action=list-attached-tags-on-objects", wish) == (200, told)
    detached = newer("POST", NEWER + "tag-association?action=detach-multiple-tags-from-object", body)
    assert detached[1]["success"] is True


def test_each_dialect_has_its_own_words_for_a_refusal(newer: Service, older: Service) -> None:
    spec = {"name": "twice", "cardinality": "MULTIPLE"}
    newer("POST", NEWER + "category", spec)
    assert newer("POST", NEWER + "category", spec) == (400, {"error_type": "ALREADY_EXISTS", "messages": []})
    status, told = older("POST", OLDER + "category", {"create_spec": spec})
    assert (status, told["type"]) == (400, "com.vmware.vapi.std.errors.already_exists")


def test_a_session_ends(newer: Service) -> None:
    assert newer("DELETE", "/api/session")[0] in (200, 204)
    assert newer("GET", NEWER + "category")[0] == 401


def test_a_fault_is_for_a_path_or_for_one_of_its_actions(server: Running, newer: Service) -> None:
    wish = {"object_ids": [DOMAIN]}
    listing = NEWER + "tag-association?action=list-attached-tags-on-objects"
    server.fault(f"{NEWER}tag-association?action=detach*:http-403")
    assert newer("POST", listing, wish)[0] == 200
    body = {"object_id": DOMAIN, "tag_ids": []}
    assert newer("POST", NEWER + "tag-association?action=detach-multiple-tags-from-object", body)[0] == 403
    server.clear_faults()
    for status in (401, 403, 404, 500):
        server.fault(f"{NEWER}tag-association:http-{status}:1")
        assert newer("POST", listing, wish)[0] == status
    assert newer("POST", listing, wish)[0] == 200
