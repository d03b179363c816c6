"""Names, notes, tags and metadata: what was stored is what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import Lineage
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, needs, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["HOSTILE", "Labels"]

HOSTILE: Final = {
    "quotes": "a 'single', a \"double\" and a `back` quote",
    "shell": "$(reboot); rm -rf / && echo %PATH% ${HOME} | cat #",
    "xml": "<b>&amp;</b> ]]> <!-- --> &lt;",
    "unicode": "żółć 漢字 🦀 \u202eoverride e\u0301 \u00e9",
    "lines": "one\ntwo\n\n\tthree",
    "blanks": "  blanks at  both ends ",
    "long": "x" * 2000,
    "json": '{"hvsdk": [1, "\\u0000"]}',
    "template": "{0} %s {{ name }} \\n \\",
}
"""Texts that a careless backend stores otherwise, or carries out."""
texts = pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))


class Labels(Kit):
    """They round-trip on every backend, emulated where the product has no such field."""

    def test_a_domain_gets_another_name(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.RENAME)
        uuid = domain.uuid
        old = domain.name
        domain.rename(names("other name"))
        assert domain.name == names("other name")
        found = host.domain(names("other name"))
        assert found == domain
        assert found.uuid == uuid
        with pytest.raises(errors.DomainNotFoundError):
            host.domain(old)

    def test_renaming_a_running_domain_works_whole_or_is_refused(
        self, host: Host, running: Domain, names: Names
    ) -> None:
        needs(host, Capability.RENAME)
        old = running.name
        try:
            running.rename(names("other"))
        except errors.PowerStateError:
            assert stands_in(running).name == old
            return
        assert stands_in(running).name == names("other")

    def test_a_name_that_is_taken_is_refused_where_names_are_unique(
        self, host: Host, domain: Domain, make_domain: MakeDomain
    ) -> None:
        needs(host, Capability.RENAME)
        if host.supports(Capability.DUPLICATE_NAMES):
            pytest.skip("two domains may have the same name")
        other = make_domain()
        with pytest.raises(errors.AlreadyExistsError):
            domain.rename(other.name)
        assert stands_in(domain).name != other.name

    @texts
    def test_notes_are_stored_exactly(self, host: Host, domain: Domain, text: str) -> None:
        needs(host, Capability.SET_NOTES)
        domain.set_notes(text)
        assert domain.info.notes == text
        assert stands_in(domain).info.notes == text

    def test_notes_are_emptied(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_NOTES)
        domain.set_notes("something")
        domain.set_notes("")
        assert stands_in(domain).info.notes == ""

    @pytest.mark.parametrize("bad", ["a\x00b", "\x1b[31mred", "half \ud800"], ids=["nul", "escape", "surrogate"])
    def test_texts_that_no_product_stores_are_refused(self, host: Host, domain: Domain, bad: str) -> None:
        needs(host, Capability.SET_NOTES)
        before = stands_in(domain).info.notes
        with pytest.raises(errors.InvalidSpecError):
            domain.set_notes(bad)
        assert stands_in(domain).info.notes == before

    def test_tags_are_stored_exactly(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_TAGS)
        tags = frozenset({"Prod", "prod", "tier:1", "two words", "żółć", "<&>'\"", "$(x)", "a/b=c;d"})
        domain.set_tags(tags)
        assert domain.info.tags == tags
        assert stands_in(domain).info.tags == tags

    def test_tags_replace_those_before(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_TAGS)
        domain.set_tags(["one", "two"])
        domain.set_tags(["two", "three"])
        assert stands_in(domain).info.tags == {"two", "three"}
        domain.set_tags([])
        assert stands_in(domain).info.tags == frozenset()

    @pytest.mark.parametrize("bad", ["", " ", "a,b", "a\nb", " a"], ids=repr)
    def test_tags_that_cannot_be_are_refused(self, host: Host, domain: Domain, bad: str) -> None:
        needs(host, Capability.SET_TAGS)
        with pytest.raises(errors.InvalidSpecError):
            domain.set_tags([bad])

    @texts
    def test_metadata_are_stored_exactly(self, host: Host, domain: Domain, text: str) -> None:
        needs(host, Capability.SET_METADATA)
        domain.set_metadata({"kit.key": text})
        assert stands_in(domain).info.metadata["kit.key"] == text

    def test_metadata_are_merged(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_METADATA)
        domain.set_metadata({"kit.one": "1", "kit.two": "2"})
        domain.set_metadata({"kit.two": "II", "kit.three": "3"})
        found = stands_in(domain).info.metadata
        assert {key: found.get(key) for key in ("kit.one", "kit.two", "kit.three")} == {
            "kit.one": "1",
            "kit.two": "II",
            "kit.three": "3",
        }

    def test_metadata_are_removed_by_none(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_METADATA)
        domain.set_metadata({"kit.one": "1", "kit.two": ""})
        domain.set_metadata({"kit.one": None, "kit.never": None})
        found = stands_in(domain).info.metadata
        assert "kit.one" not in found
        assert found["kit.two"] == ""

    def test_keys_of_metadata_keep_their_case_and_signs(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_METADATA)
        values = {"Team.Owner": "a", "team.owner": "b", "a-b:c/d_e.9": "c"}
        domain.set_metadata(values)
        found = stands_in(domain).info.metadata
        assert {key: found.get(key) for key in values} == values

    @pytest.mark.parametrize("key", ["", "a b", "<key>", "hvsdk.fence", "a" * 200, "ż"], ids=repr)
    def test_keys_that_cannot_be_are_refused(self, host: Host, domain: Domain, key: str) -> None:
        needs(host, Capability.SET_METADATA)
        before = stands_in(domain).info.metadata
        with pytest.raises(errors.InvalidSpecError):
            domain.set_metadata({key: "value"})
        assert stands_in(domain).info.metadata == before

    def test_labels_do_not_touch_each_other(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_NOTES, Capability.SET_TAGS, Capability.SET_METADATA)
        domain.set_metadata({"kit.key": "value"})
        domain.set_tags(["tag"])
        domain.set_notes("notes")
        domain.set_metadata({"kit.other": "value"})
        info = stands_in(domain).info
        assert (info.notes, info.tags, info.metadata["kit.key"]) == ("notes", frozenset({"tag"}), "value")

    def test_labels_can_be_set_while_it_runs(self, host: Host, domain: Domain, reach: Reach, patience: float) -> None:
        needs(host, Capability.SET_NOTES, Capability.SET_TAGS, Capability.SET_METADATA)
        reach(domain, PowerState.RUNNING)
        domain.set_notes("running")
        domain.set_tags(["running"])
        domain.set_metadata({"kit.key": "running"})
        for _ in range(2):
            info = stands_in(domain).info
            assert (info.notes, info.tags, info.metadata["kit.key"]) == ("running", frozenset({"running"}), "running")
            if not host.supports(Capability.POWER_OFF):
                return
            domain.power_off(timeout=patience)

    def test_autostart_is_switched(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_AUTOSTART)
        for enabled in (True, True, False, False):
            domain.set_autostart(enabled)
            assert domain.info.autostart is enabled
            assert stands_in(domain).info.autostart is enabled

    def test_lineage_is_kept_on_the_domain(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.SET_METADATA)
        older = Lineage(uuid="0a0b0c0d-0000-4000-8000-000000000001", hypervisor="xen", host="xenapi://pool")
        newer = Lineage(uuid="0a0b0c0d-0000-4000-8000-000000000002")
        domain.set_lineage(moved_from=older, superseded_by=newer)
        info = stands_in(domain).info
        assert (info.moved_from, info.superseded_by) == (older, newer)
        assert domain not in host.domains(include=("config",))
        assert domain in host.domains(include=("config",), superseded=True)
        domain.set_lineage(moved_from=older)
        assert stands_in(domain).info.superseded_by is None
