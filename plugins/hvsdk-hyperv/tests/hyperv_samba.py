"""Samba in tests: a server with the files of the simulated host."""

from __future__ import annotations

import os

import pytest
from hvsdk_simulators import Running
from hvsdk_simulators.samba import Samba

__all__ = ["Samba", "samba"]


def samba(host: Running, **settings: str) -> Samba:
    """Start a server, for a `with` statement; where there is no Samba, the test is skipped, but not in CI."""
    lacks = Samba.missing()
    if lacks:
        reason = f"there is no {' and no '.join(lacks)}: Debian's samba has them"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return Samba(host, **settings)
