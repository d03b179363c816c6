"""Making domains without something that was asked for, and without a word about it."""

from __future__ import annotations

from typing import Any

from broken.cases import caught_by
from hvsdk.models import DomainSpec
from hvsdk.testing.fake._driver import FakeDriver

PLAIN = DomainSpec(name="plain", memory="1MiB")
LESS = "test_what_is_asked_for_is_there_or_refused"

PASSED_OVER = {
    "vcpus": f"{LESS}[vcpus]",
    "cpu_topology": f"{LESS}[cpu_topology]",
    "firmware": f"{LESS}[firmware]",
    "disks": f"{LESS}[disks]",
    "nics": f"{LESS}[nics]",
    "autostart": f"{LESS}[autostart]",
    "notes": f"{LESS}[notes]",
    "tags": f"{LESS}[tags]",
    "metadata": f"{LESS}[metadata]",
    "media": "test_media_is_in_a_drive_or_refused",
    "template": "test_a_template_that_is_not_there_is_refused",
    "machine": "test_a_board_that_is_not_there_is_told_or_refused",
    "hints": "test_an_unknown_hint_of_its_own_is_told_or_refused",
}
"""Which test catches a driver that takes no notice of a field."""


def _without(field: str) -> type[FakeDriver]:
    def create_domain(self: FakeDriver, spec: DomainSpec, *, deadline: Any) -> Any:
        return FakeDriver.create_domain(self, spec.replace(**{field: getattr(PLAIN, field)}), deadline=deadline)

    body = {"__module__": __name__, "__doc__": f"Takes no notice of {field}.", "create_domain": create_domain}
    return type(f"CreateWithout{field.title().replace('_', '')}", (FakeDriver,), body)


for _field, _test in PASSED_OVER.items():
    _driver = _without(_field)
    globals()[_driver.__name__] = caught_by(_test)(_driver)


@caught_by("test_disks_have_the_size_that_was_asked_for")
class CreateHalvesDisks(FakeDriver):
    """Disks are half of what was asked for."""

    def create_domain(self, spec, *, deadline):
        disks = [disk.replace(size=(disk.size_bytes or 2) // 2) for disk in spec.disks]
        return super().create_domain(spec.replace(disks=disks), deadline=deadline)
