"""One call of a message: who asks, and what the function behind it may do while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from .database import Object
from .derived import DERIVED
from .failure import Failure
from .messages import Message
from .world import World


class Call:
    """One call. Functions run with the world locked; `wait` lets others in meanwhile."""

    def __init__(
        self, world: World, member: Object, session: Object | None, *, task: Object | None = None,
        message: Message | None = None, originator: str = "",
    ) -> None:  # fmt: skip
        self.world = world
        self.member = member
        """The host that was asked."""
        self.session = session
        self.task = task
        """The task that tells how far it is; None when the caller waits for the answer."""
        self.message = message
        self.originator = originator

    @cached_property
    def task_ref(self) -> str:
        """What `current_operations` names it by: calls that are waited for have a task too, but not one to be seen."""
        return self.task.ref if self.task is not None else f"OpaqueRef:{self.world.db.new_uuid()}"

    def check(self) -> None:
        """End the call when its task has been cancelled or the server stops."""
        if self.world.stopping:
            raise Failure("HOST_OFFLINE", self.member.ref)
        if self.task is not None and self.task["status"] == "cancelling":
            raise Failure("TASK_CANCELLED", self.task.ref)

    def wait(self, seconds: float) -> None:
        """Let time pass, others use the world, and a cancelled task end the call."""
        self.wait_for(lambda: False, seconds)

    def wait_for(self, predicate: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so; return whether it was before the time ran out."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            if predicate():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.world.lock.wait(left)

    def progress(self, share: float) -> None:
        """Say how much of it is done, from 0 to 1."""
        if self.task is not None:
            self.world.db.update(self.task, progress=min(1.0, max(0.0, float(share))))

    @contextmanager
    def operation(self, obj: Object, name: str) -> Iterator[None]:
        """Show an operation in the object's `current_operations` while it runs.

        Raises:
            Failure: The object does not allow it now.
        """
        assert_allowed(self.world, obj, name)
        with self.under_way(obj, name):
            yield

    @contextmanager
    def under_way(self, obj: Object, name: str) -> Iterator[None]:
        """The same for an operation of which is known that the object allows it."""
        db = self.world.db
        db.update(obj, current_operations=obj["current_operations"] | {self.task_ref: name})
        try:
            yield
        finally:
            left = {ref: one for ref, one in obj["current_operations"].items() if ref != self.task_ref}
            db.update(obj, current_operations=left)


Refusal = Callable[[World, Object, str], Failure | None]
REFUSALS: dict[str, Refusal] = {}
"""By class: what says with which error the product refuses an operation."""


def refusal(cls: str) -> Callable[[Refusal], Refusal]:
    """Let a function say why an object of a class refuses an operation: `f(world, obj, operation)`."""

    def register(function: Refusal) -> Refusal:
        REFUSALS[cls] = function
        return function

    return register


def assert_allowed(world: World, obj: Object, name: str) -> None:
    """Raise the error that the product answers when an operation may not begin now."""
    if obj.cls in REFUSALS:
        found = REFUSALS[obj.cls](world, obj, name)
        if found is not None:
            raise found
        return
    allowed = DERIVED.get(obj.cls, {}).get("allowed_operations")
    if allowed is None or name in allowed(world, obj):
        return
    if obj["current_operations"]:
        raise Failure("OTHER_OPERATION_IN_PROGRESS", obj.cls, obj.ref)
    raise Failure("OPERATION_NOT_ALLOWED", f"{name} is not among the allowed operations of {obj.cls} {obj.ref}")
