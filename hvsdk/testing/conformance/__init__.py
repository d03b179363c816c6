"""The conformance kit: one class and one fixture hold a backend to the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

_PACKAGE = Path(__file__).parent
pytest.register_assert_rewrite(*sorted(f"{__name__}.{file.stem}" for file in _PACKAGE.glob("_[a-z]*.py")))

from hvsdk.testing.conformance._asked import Asked  # noqa: E402  (asserts are rewritten first)
from hvsdk.testing.conformance._capabilities import Capabilities  # noqa: E402
from hvsdk.testing.conformance._closing import Closing  # noqa: E402
from hvsdk.testing.conformance._create import Clone, Create  # noqa: E402
from hvsdk.testing.conformance._delete import Delete  # noqa: E402
from hvsdk.testing.conformance._devices import DiskDevices, Media, NicDevices, Reconfigure  # noqa: E402
from hvsdk.testing.conformance._errors import Errors  # noqa: E402
from hvsdk.testing.conformance._expected import misspelt  # noqa: E402
from hvsdk.testing.conformance._fence import Fence  # noqa: E402
from hvsdk.testing.conformance._figures import Behind, Consoles, Figures  # noqa: E402
from hvsdk.testing.conformance._fixtures import Kit  # noqa: E402
from hvsdk.testing.conformance._labels import Labels  # noqa: E402
from hvsdk.testing.conformance._listing import Listing, Lookup  # noqa: E402
from hvsdk.testing.conformance._migrate import Migrate  # noqa: E402
from hvsdk.testing.conformance._names import OddNames  # noqa: E402
from hvsdk.testing.conformance._pickling import Pickling  # noqa: E402
from hvsdk.testing.conformance._power import Memory, PowerTable  # noqa: E402
from hvsdk.testing.conformance._readonly import ReadOnly  # noqa: E402
from hvsdk.testing.conformance._records import Records  # noqa: E402
from hvsdk.testing.conformance._rounds import RoundTrips  # noqa: E402
from hvsdk.testing.conformance._security import Secrets  # noqa: E402
from hvsdk.testing.conformance._shutdown import Shutdown  # noqa: E402
from hvsdk.testing.conformance._snapshots import SnapshotKinds, Snapshots, SnapshotTree  # noqa: E402
from hvsdk.testing.conformance._storage import DiskContent, Pools  # noqa: E402
from hvsdk.testing.conformance._suspended import Suspended  # noqa: E402
from hvsdk.testing.conformance._threads import Threads  # noqa: E402
from hvsdk.testing.conformance._time import Connections, Time  # noqa: E402
from hvsdk.testing.conformance._watch import Watching  # noqa: E402

__all__ = ["BackendConformance", "Kit"]


class BackendConformance(
    Capabilities,
    PowerTable,
    Memory,
    Shutdown,
    Suspended,
    Listing,
    Lookup,
    Records,
    Create,
    Asked,
    Clone,
    Delete,
    Reconfigure,
    DiskDevices,
    NicDevices,
    Media,
    Snapshots,
    SnapshotKinds,
    SnapshotTree,
    Labels,
    OddNames,
    Pools,
    DiskContent,
    Figures,
    Consoles,
    Behind,
    Fence,
    Errors,
    Time,
    Connections,
    RoundTrips,
    Threads,
    Watching,
    Pickling,
    Closing,
    ReadOnly,
    Secrets,
    Migrate,
):
    """Every verb, capability, error and guarantee of hvsdk, checked on one backend.

    Subclass it in a test module, and give it a connection:

        class TestAcme(BackendConformance):
            known_failures = {"test_reset_boots_anew": "acme 4.1 keeps the memory, fixed in 4.2"}

            @pytest.fixture
            def host(self, acme_server):
                return hvsdk.connect(f"acme://tester@{acme_server}", password="x")

    Tests of what the host does not declare are skipped and say so; what is not declared must raise `UnsupportedError`.
    What takes something that the kit cannot know is skipped with `NOT CHECKED` until you override the fixture for it:
    `round_trips`, `boot_id`, `guest_obeys`, `guest_agent`, `guest_ignores`, `force_state`, `connect_readonly`,
    `spare_host`, `secrets`, `second_host`, `image`, `lose_connection`, `expire_session`, and the class attributes
    `vendor_errors` and `known_failures`. `spec` is the backend's own idea of a small domain that boots, `patience` the
    seconds that one verb may take, `domain` a domain that may be driven in every way but `delete`. The handbook's page
    on testing says what each returns.

    The kit touches no domain but its own, whose names begin with `kit-` and a random text; it removes them, and closes
    the host unless `shared_host` is set.
    """

    def test_known_failures_are_tests_of_the_kit(self) -> None:
        unknown = [name for name in self.known_failures if not hasattr(type(self), name.partition("[")[0])]
        assert not unknown, f"known_failures names no test of the kit: {unknown}"

    def test_fixtures_are_spelt_as_the_kit_does(self) -> None:
        names = [name for name in vars(Kit) if not name.startswith("_")]
        hints = [f"{name}: did you mean {meant}?" for name, meant in misspelt(type(self), names).items()]
        assert not hints, f"the kit uses no fixture or attribute {'; '.join(hints)}"
