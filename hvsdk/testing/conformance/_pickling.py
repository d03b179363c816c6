"""Handles travel: in pickles to other processes, in copies nowhere."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.testing.conformance._fixtures import Kit
from hvsdk.testing.conformance._helpers import needs, unchecked

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Pickling"]

ELSEWHERE: Final = """
import pickle, sys
sys.path[:] = {path!r}
domain = pickle.loads(sys.stdin.buffer.read())
domain.refresh()
print(domain.native_id, domain.host.url)
domain.host.close()
"""


def dumped(thing: Any) -> bytes:
    """Return a pickle, or skip where the host was given a secret that must not travel."""
    try:
        return pickle.dumps(thing)
    except errors.HvsdkError as exc:
        return _refused(exc)
    except (TypeError, pickle.PicklingError) as exc:
        return _refused(exc)


def _refused(error: Exception) -> NoReturn:
    assert "SecretRef" in str(error), "refused to be pickled without saying how to do better"
    unchecked("the host was given a literal secret; give it a hvsdk.SecretRef")


class Pickling(Kit):
    """Hosts and domains in pickles and copies."""

    def test_a_copy_keeps_the_host(self, host: Host, domain: Domain) -> None:
        for same in (copy.copy(domain), copy.deepcopy(domain)):
            assert same.host is host
            assert same == domain
        assert copy.copy(host) is host
        assert copy.deepcopy([host]) == [host]

    def test_a_round_trip_in_one_process_is_equal(self, host: Host, domain: Domain) -> None:
        same = pickle.loads(dumped(domain))
        assert same == domain
        assert same.host is host
        assert hash(same) == hash(domain)
        assert pickle.loads(dumped(host)) is host

    def test_another_process_sees_the_same_domain(self, host: Host, domain: Domain, patience: float) -> None:
        needs(host, Capability.MULTIPROCESS)
        done = self.elsewhere(domain, patience)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.decode().split() == [domain.native_id, host.url]

    def test_another_process_is_refused_where_none_can_attach(
        self, host: Host, domain: Domain, patience: float
    ) -> None:
        if host.supports(Capability.MULTIPROCESS):
            pytest.skip("a second process can attach")
        done = self.elsewhere(domain, patience)
        assert done.returncode != 0, "another process saw a world of its own instead of an error"
        assert b"Error" in done.stderr

    @staticmethod
    def elsewhere(domain: Domain, patience: float) -> subprocess.CompletedProcess[bytes]:
        """Unpickle a domain in another process, and ask for it there."""
        script = ELSEWHERE.format(path=sys.path)
        return subprocess.run(
            [sys.executable, "-c", script],
            input=dumped(domain),
            capture_output=True,
            timeout=30 + patience,
            check=False,
        )
