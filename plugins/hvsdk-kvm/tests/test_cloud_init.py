"""The NoCloud seed: what a guest would read from it."""

from __future__ import annotations

import io
import json

import pycdlib
import pytest
from hvsdk.cloud_init import seed_image
from hvsdk.driver import CloudInit
from making_support import ODD_NAMES, UUID

from hvsdk_kvm._cloud_init import seed_name


def contents(image: bytes) -> tuple[str, dict[str, str]]:
    """Return an image's label and its files."""
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(image))
    try:
        label = iso.pvd.volume_identifier.decode().strip()
        files = {}
        for child in iso.list_children(rr_path="/"):
            if child.is_file():
                out = io.BytesIO()
                name = child.rock_ridge.name().decode()
                iso.get_file_from_iso_fp(out, rr_path=f"/{name}")
                files[name] = out.getvalue().decode()
        return label, files
    finally:
        iso.close()


def test_the_label_and_the_names_are_those_that_cloud_init_looks_for() -> None:
    label, files = contents(seed_image(CloudInit(user_data="#cloud-config\n"), name="web-1", instance=UUID))
    assert label == "cidata"
    assert files.keys() == {"user-data", "meta-data"}
    assert json.loads(files["meta-data"]) == {"instance-id": UUID, "local-hostname": "web-1"}


def test_what_was_given_is_in_it_to_the_letter() -> None:
    given = CloudInit(user_data="#cloud-config\nx: é$(id)\n", meta_data="a: b", network_config="version: 2\n")
    _, files = contents(seed_image(given, name="web", instance=UUID))
    assert files == {"user-data": given.user_data, "meta-data": "a: b", "network-config": "version: 2\n"}


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_names_become_host_names(name: str) -> None:
    _, files = contents(seed_image(CloudInit(user_data=""), name=name, instance=UUID))
    host = json.loads(files["meta-data"])["local-hostname"]
    assert 0 < len(host) < 64
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in host)
    assert not host.startswith("-")
    assert not host.endswith("-")


def test_each_domain_has_a_seed_of_its_own_name() -> None:
    assert seed_name(UUID) == f"hvsdk-seed-{UUID}.iso"
