"""Moves within the pool, and what stands in their way."""

from __future__ import annotations

import pytest
from hvsdk.driver import PowerState, errors


def another_node(host, domain):
    return next(node for node in host.nodes() if node.name != domain.node and node.state == "up")


def test_a_running_domain_moves_to_the_node_that_was_named(host, domain, reach, pool):
    reach("running")
    node = another_node(host, domain)
    pool.reset_counts()
    moved = domain.migrate(node=node)
    assert (moved.node, moved.power_state) == (node.name, PowerState.RUNNING)
    assert pool.counts()["Async.VM.pool_migrate"] == 1


def test_a_domain_that_is_off_starts_on_the_node_that_was_named(host, domain):
    node = another_node(host, domain)
    domain.migrate(node=node)
    domain.start()
    assert domain.node == node.name


def test_a_node_or_pool_that_is_not_there_is_named_with_those_that_are(host, domain):
    with pytest.raises(errors.UnsupportedError, match=host.nodes()[0].name):
        domain.migrate(node="no-such-node")
    with pytest.raises(errors.UnsupportedError, match="no storage pool 'no-such-pool'"):
        domain.migrate(pool="no-such-pool")


def test_a_paused_domain_is_not_moved(host, domain, reach):
    reach("running")
    node = another_node(host, domain)
    reach("paused")
    with pytest.raises(errors.PowerStateError):
        domain.migrate(node=node)


def test_a_fenced_domain_is_not_moved(host, domain, reach):
    reach("running")
    node = another_node(host, domain)
    domain.fence("stays")
    with pytest.raises(errors.UnsupportedError, match="OPERATION_BLOCKED"):
        domain.migrate(node=node)
