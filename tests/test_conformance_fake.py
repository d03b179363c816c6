"""`fake://` passes the whole kit, with every fixture given."""

from __future__ import annotations

import pytest
from fake_kit import FakeFixtures

import hvsdk
from hvsdk.testing import BackendConformance
from hvsdk.testing.fake import control


class TestFake(FakeFixtures, BackendConformance):
    """Long verbs answer at once."""


class TestFakeWithoutAgent(FakeFixtures):
    """What only shows where the guest has no agent."""

    test_quiescing_without_an_agent_is_refused = BackendConformance.test_quiescing_without_an_agent_is_refused

    @pytest.fixture
    def guest_agent(self) -> bool:
        return False

    @pytest.fixture
    def running(self, domain: hvsdk.Domain) -> hvsdk.Domain:
        control(domain.host).guest(domain, agent="absent")
        domain.start()
        return domain


@pytest.mark.full
class TestFakeWithTasks(FakeFixtures, BackendConformance):
    """Long verbs answer with a task."""

    url = "fake://root@kit?domains=6&templates=1&control=1&tasks=1"
