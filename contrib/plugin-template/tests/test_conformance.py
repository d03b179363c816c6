"""Shed, held to the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import hvsdk
from hvsdk.testing import BackendConformance


class TestShed(BackendConformance):
    """Every verb, capability and guarantee that Shed claims."""

    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[hvsdk.Host]:
        with hvsdk.connect(f"shed://{tmp_path}/machines?create=yes") as host:
            yield host
