"""Verbs of several steps: each is seen through in order, and what fails takes back what was made before."""

from __future__ import annotations

import pytest

from hvsdk.driver import StepsTask, Task, errors, finish, in_background


class Step(Task[str]):
    """Ends with `result` at its poll number `polls`, or with `failure`."""

    def __init__(self, result: str, *, polls: int = 1, failure: Exception | None = None) -> None:
        self.result, self.left, self.failure = result, polls, failure
        self.cancelled = False

    def poll(self) -> tuple[bool, float | None, str | None]:
        self.left -= 1
        if self.cancelled:
            raise errors.CancelledError("cancelled")
        if self.left > 0:
            return False, 0.5, None
        if self.failure is not None:
            raise self.failure
        return True, 1.0, self.result

    def cancel(self) -> None:
        self.cancelled = True


def test_the_result_of_a_step_is_what_the_next_one_gets():
    def steps():
        one = yield Step("one", polls=2)
        two = yield Step(f"{one} two")
        return [one, two]

    task = StepsTask(steps())
    assert task.poll() == (False, 0.5, None)
    assert finish(task) == ["one", "one two"]
    assert task.poll() == (True, 1.0, ["one", "one two"]), "asked once more it says the same"


def test_what_is_refused_at_once_is_raised_at_once():
    def steps():
        raise errors.PermissionDeniedError("no")
        yield

    with pytest.raises(errors.PermissionDeniedError):
        StepsTask(steps())


def test_steps_without_a_task_are_done_at_once():
    def steps():
        return "nothing to do"
        yield

    assert StepsTask(steps()).poll() == (True, 1.0, "nothing to do")


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_step_that_fails_has_those_before_it_undone(cancelled):
    undone = []
    second = Step("", polls=3, failure=OSError("gone"))

    def steps():
        made = yield Step("made")
        try:
            yield second
        except BaseException:
            undone.append(made)
            raise

    task = StepsTask(steps())
    task.poll()
    if cancelled:
        task.cancel()
    with pytest.raises(errors.CancelledError if cancelled else OSError):
        finish(task)
    assert undone == ["made"]


def test_a_failure_can_lead_to_another_step():
    def steps():
        try:
            yield Step("", failure=OSError("refused"))
        except OSError:
            return (yield Step("the other way"))

    assert finish(StepsTask(steps())) == "the other way"


def test_steps_in_the_background_end_without_anybody_waiting():
    ended = []

    def steps():
        yield Step("one", polls=3)
        yield Step("two", polls=3)
        ended.append(True)

    task = in_background(steps())
    task.wait(10)
    assert ended


def test_waiting_for_a_task_has_an_end():
    with pytest.raises(TimeoutError):
        finish(Step("", polls=10**9), 0.05)
