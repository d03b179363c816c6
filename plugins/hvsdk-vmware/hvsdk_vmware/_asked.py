"""A question that a domain waits with, as an error tells of it."""

from __future__ import annotations

from hvsdk.driver import errors
from pyVmomi import vim

__all__ = ["pending"]


def pending(question: vim.vm.QuestionInfo, then: str = "") -> errors.BusyError:
    """Return the error that tells of a question, and of the answers there are.

    Args:
        then: What else there is to say of an answer.
    """
    choices = getattr(question.choice, "choiceInfo", None) or ()
    answers = "; ".join(f"{one.key}: {one.label}" for one in choices)
    return errors.BusyError(
        f"the domain waits for an answer: {question.text}{f' [{answers}]' if answers else ''}",
        lasting=True,
        native_code=str(question.id),
        hint=f"hvsdk_vmware.answer(domain, choice) answers it, and vSphere's client{then}",
    )
