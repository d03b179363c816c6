"""One host, several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names, needs, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Threads"]

ROUNDS: Final = 12


class Threads(Kit):
    """A host may be shared."""

    def test_each_thread_gets_its_own_answer(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        domains = [make_domain(name=names(f"thread-{number}")) for number in range(4)]

        def ask(domain: Domain) -> list[tuple[str, str]]:
            found = [host.domain(domain.native_id) for _ in range(ROUNDS)]
            return [(item.native_id, item.name) for item in found]

        with ThreadPoolExecutor(len(domains)) as threads:
            for domain, answers in zip(domains, threads.map(ask, domains), strict=True):
                assert set(answers) == {(domain.native_id, domain.name)}

    def test_threads_drive_domains_of_their_own(self, host: Host, make_domain: MakeDomain, patience: float) -> None:
        needs(host, Capability.START, Capability.POWER_OFF)
        domains = [make_domain(), make_domain()]

        def drive(domain: Domain) -> None:
            for _ in range(2):
                domain.start(timeout=patience)
                assert domain.power_state == "running"
                domain.power_off(timeout=patience)
                assert domain.power_state == "shutoff"

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(drive, domains))
        assert [stands_in(domain).power_state for domain in domains] == [PowerState.SHUTOFF] * 2

    def test_two_threads_that_want_the_same_both_succeed(self, host: Host, domain: Domain, patience: float) -> None:
        needs(host, Capability.START, Capability.POWER_OFF)
        handles = [stands_in(domain), stands_in(domain)]
        with ThreadPoolExecutor(2) as threads:
            for verb, state in (("start", PowerState.RUNNING), ("power_off", PowerState.SHUTOFF)):
                list(threads.map(lambda handle, verb=verb: getattr(handle, verb)(timeout=patience), handles))
                assert stands_in(domain).power_state is state

    def test_listing_goes_on_while_domains_come_and_go(
        self, host: Host, domain: Domain, make_domain: MakeDomain
    ) -> None:
        needs(host, Capability.DELETE)

        def churn() -> None:
            for _ in range(2):
                make_domain().delete(disks="delete")

        with ThreadPoolExecutor(2) as threads:
            work = threads.submit(churn)
            while not work.done():
                assert domain in host.domains(include=("config",))
            work.result()
