"""Questions: they are shown, and answered only when that is asked for."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from vmware_support import Raw, connect

import hvsdk_vmware

COPIED = "button.uuid.copiedTheVM"
HOSTILE = 'Really? <x>&amp; "yes"\nor %2f $(no) ☃'


@pytest.fixture
def asking(center: Running, domain: hvsdk.Domain, raw: Raw) -> Iterator[str]:
    """The domain asks something; returns the id of the question."""
    question: str = center.act("question", vm=domain.native_id, text=HOSTILE, choices=[COPIED, 'b"<2>'], now=True)
    yield question
    asked = raw.vm(domain.native_id).runtime.question
    if asked is not None:
        raw.vm(domain.native_id).AnswerVM(asked.id, COPIED)


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import hvsdk_vmware, sys; hvsdk_vmware.answer; sys.exit('pyVmomi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_record_has_the_question(domain: hvsdk.Domain, asking: str) -> None:
    wanted = {"id": asking, "text": HOSTILE, "choices": {COPIED: COPIED, 'b"<2>': 'b"<2>'}}
    assert domain.refresh().details["vmware.question"] == wanted
    (listed,) = domain.host.domains(name=domain.name, full=True)
    assert listed.details["vmware.question"] == wanted
    assert domain.info.to_dict()["details"]["vmware.question"] == wanted


@pytest.mark.usefixtures("asking")
def test_an_answer_ends_the_question(domain: hvsdk.Domain) -> None:
    hvsdk_vmware.answer(domain, 'b"<2>')
    assert "vmware.question" not in domain.refresh().details


def test_what_waited_goes_on_when_it_is_answered(center: Running, domain: hvsdk.Domain) -> None:
    center.act("question", vm=domain.native_id)
    with pytest.raises(errors.BusyError, match=r"hvsdk_vmware\.answer"):
        domain.start(timeout=20)
    with pytest.raises(errors.BusyError):
        domain.start(timeout=20)
    hvsdk_vmware.answer(domain, COPIED)
    domain.wait_for("running", timeout=20)


def test_a_domain_that_asks_nothing_gets_no_answer(center: Running, domain: hvsdk.Domain) -> None:
    center.reset_counts()
    with pytest.raises(errors.NotFoundError, match="asks nothing"):
        hvsdk_vmware.answer(domain, COPIED)
    assert not center.counts().get("AnswerVM")


@pytest.mark.usefixtures("asking")
def test_a_choice_that_is_not_there_names_those_that_are(center: Running, domain: hvsdk.Domain) -> None:
    center.reset_counts()
    with pytest.raises(errors.InvalidSpecError, match=COPIED):
        hvsdk_vmware.answer(domain, "yes")
    assert not center.counts().get("AnswerVM")


@pytest.mark.usefixtures("asking")
def test_a_read_only_host_refuses(center: Running, domain: hvsdk.Domain) -> None:
    with connect(center, readonly=True) as host, pytest.raises(errors.PermissionDeniedError):
        hvsdk_vmware.answer(host.domain(domain.native_id), COPIED)
    assert "vmware.question" in domain.refresh().details


@pytest.mark.usefixtures("asking")
def test_hooks_hear_of_it_and_may_refuse(domain: hvsdk.Domain) -> None:
    class Policy:
        @hvsdk.hookimpl
        def hvsdk_before_operation(self, operation: hvsdk.Operation) -> None:
            if operation.verb == "native":
                raise errors.VetoError("nothing is answered on Fridays")

    policy = Policy()
    hvsdk.register(policy)
    try:
        with pytest.raises(errors.VetoError):
            hvsdk_vmware.answer(domain, COPIED)
    finally:
        hvsdk.unregister(policy)
    assert "vmware.question" in domain.refresh().details


@pytest.mark.usefixtures("asking")
def test_somebody_else_may_be_faster(center: Running, domain: hvsdk.Domain, raw: Raw) -> None:
    center.fault("AnswerVM:slow=1:1")
    question = raw.vm(domain.native_id).runtime.question.id
    other = threading.Timer(0.3, lambda: raw.vm(domain.native_id).AnswerVM(question, COPIED))
    other.start()
    with pytest.raises(errors.NotFoundError, match="somebody else"):
        hvsdk_vmware.answer(domain, COPIED)
    other.join()


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer"])
def test_an_answer_that_is_not_confirmed_is_not_known_to_be_given(
    center: Running, domain: hvsdk.Domain, fault: str
) -> None:
    center.fault(f"AnswerVM:{fault}:1")
    center.reset_counts()
    with pytest.raises(errors.OutcomeUnknownError):
        hvsdk_vmware.answer(domain, COPIED)
    assert center.counts()["AnswerVM"] == 1


@pytest.mark.usefixtures("asking")
def test_what_vsphere_refuses_is_told_in_our_words(center: Running, domain: hvsdk.Domain) -> None:
    center.fault("AnswerVM:error=NoPermission:1")
    with pytest.raises(errors.PermissionDeniedError) as caught:
        hvsdk_vmware.answer(domain, COPIED)
    assert (caught.value.backend, caught.value.host) == ("vmware", domain.host.url)


def test_a_domain_of_another_product_asks_nothing() -> None:
    with hvsdk.connect("fake://demo") as host, pytest.raises(errors.UnsupportedError):
        hvsdk_vmware.answer(host.domains()[0], "yes")


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize(
    "verb",
    [
        hvsdk.Domain.start,
        hvsdk.Domain.delete,
        lambda one: one.rename("other"),
        lambda one: one.create_snapshot("one"),
        lambda one: one.reconfigure(vcpus=2),
        lambda one: one.set_notes("x"),
        lambda one: one.set_metadata({"a": "b"}),
    ],
    ids=["start", "delete", "rename", "create_snapshot", "reconfigure", "set_notes", "set_metadata"],
)
def test_whatever_a_question_holds_up_tells_it(domain: hvsdk.Domain, verb: Callable[[hvsdk.Domain], Any]) -> None:
    with pytest.raises(errors.BusyError) as caught:
        verb(domain.refresh())
    assert HOSTILE in caught.value.message
    assert COPIED in caught.value.message
    assert caught.value.hint is not None
    assert "hvsdk_vmware.answer" in caught.value.hint
    assert caught.value.lasting
