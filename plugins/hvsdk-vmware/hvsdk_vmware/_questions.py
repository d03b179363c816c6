"""Answering what a virtual machine asks before it goes on, such as whether it was moved or copied."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hvsdk import Domain
from hvsdk.driver import Deadline, Operation, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._errors import translate
from hvsdk_vmware._stub import within

__all__ = ["answer_question"]

T = TypeVar("T")
_WIRE = (OSError, http.client.HTTPException, AnswerError)
_TAKEN = (vim.fault.ConcurrentAccess, vmodl.fault.InvalidArgument, vim.fault.InvalidState)
"""What the server says when the question is not the one that it waits with, or that somebody answers it now."""
_LONGEST_PAUSE = 0.5


def answer_question(domain: Domain, choice: str, timeout: float) -> None:
    """Answer a domain's question, and return when it is gone: see `hvsdk_vmware.answer`."""
    service = domain.host.native()
    if not isinstance(service, vim.ServiceInstance):
        raise errors.UnsupportedError(f"domain {domain.name!r} is on no vSphere: nothing is asked there")
    vm = vim.VirtualMachine(domain.native_id, service._stub)
    deadline = Deadline(timeout)
    with _in_our_words(domain):
        question = _asked(vm, deadline)
        if question is None:
            raise errors.NotFoundError(f"domain {domain.name!r} asks nothing")
        key = _key_of(question, choice)
        try:
            _call(lambda: vm.AnswerVM(question.id, key), deadline)
        except _TAKEN:
            if _is_asked(vm, question.id, deadline):
                raise
            raise errors.NotFoundError(
                f"the question of domain {domain.name!r} was answered by somebody else"
            ) from None
        except _WIRE as exc:
            raise errors.OutcomeUnknownError(
                f"the answer to domain {domain.name!r} was sent, and the connection broke before it was confirmed",
                hint="refresh() shows whether it still asks",
            ) from exc
        _wait_until_gone(vm, question.id, deadline)


def _wait_until_gone(vm: vim.VirtualMachine, question: str, deadline: Deadline) -> None:
    pause = 0.02
    while _is_asked(vm, question, deadline):
        if deadline.remaining() <= pause:
            raise errors.OperationTimeoutError("the answer was taken, but the question is still there")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _is_asked(vm: vim.VirtualMachine, question: str, deadline: Deadline) -> bool:
    now = _asked(vm, deadline)
    return now is not None and now.id == question


def _asked(vm: vim.VirtualMachine, deadline: Deadline) -> vim.vm.QuestionInfo | None:
    return _call(lambda: vm.runtime.question, deadline)


def _call(function: Callable[[], T], deadline: Deadline) -> T:
    with within(deadline):
        return function()


def _key_of(question: vim.vm.QuestionInfo, choice: str) -> str:
    """Return the key of a choice that is given by its key or its label."""
    choices = {str(one.key): str(one.label) for one in question.choice.choiceInfo}
    if choice in choices:
        return choice
    named = [key for key, label in choices.items() if label == choice]
    if len(named) == 1:
        return named[0]
    there = "; ".join(f"{key!r}: {label}" if label != key else repr(key) for key, label in choices.items())
    raise errors.InvalidSpecError(f"{question.text!r} has no choice {choice!r}; there are {there}")


@contextmanager
def _in_our_words(domain: Domain) -> Iterator[None]:
    """Raise hvsdk's errors instead of vSphere's and the wire's."""
    try:
        yield
    except errors.HvsdkError as exc:
        exc.backend, exc.host = domain.host.backend, domain.host.url
        raise
    except (vmodl.MethodFault, *_WIRE) as exc:
        error = translate(exc, Operation(id="", verb="answer", native_id=domain.native_id))
        if error is None:
            raise
        error.backend, error.host = domain.host.backend, domain.host.url
        raise error from exc
