"""For each broken driver the one test of the kit that must fail; `test_broken_drivers.py` runs this file on its own."""

from __future__ import annotations

import pytest
from fake_kit import FakeFixtures

import hvsdk
from broken import asked, content, devices, listing, making, power, snapshots  # noqa: F401  (they fill the table)
from broken.cases import CASES, Case, Plugin
from hvsdk.testing import BackendConformance


@pytest.fixture(scope="module", autouse=True)
def _broken_backends():
    plugin = Plugin()
    hvsdk.register(plugin)
    yield
    hvsdk.unregister(plugin)


def kit_of(case: Case) -> type:
    """Return a test class with one test of the kit, and what of the kit that test needs."""
    name = case.test.partition("[")[0]
    subject = next(cls for cls in BackendConformance.__mro__ if name in vars(cls))
    needed = {key: value for key, value in vars(subject).items() if not key.startswith(("test_", "__"))}
    more = {"url": FakeFixtures.url.replace("fake:", f"{case.scheme}:") + case.query, name: vars(subject)[name]}
    return type(f"Test{case.driver.__name__}", (FakeFixtures,), {**needed, **more, "patience": _patience(case)})


def _patience(case: Case):
    @pytest.fixture
    def patience(self) -> float:
        return case.patience

    return patience


globals().update({f"Test{name}": kit_of(case) for name, case in CASES.items()})
