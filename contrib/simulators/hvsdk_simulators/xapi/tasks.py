"""Tasks: what shows how far a call is that nobody waits for, and lets it be cancelled."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from .call import Call
from .database import Object
from .failure import Failure
from .messages import message
from .roles import demand
from .sessions import user_of
from .world import World

_UNDER_WAY = ("pending", "cancelling")
_OWNERS: weakref.WeakKeyDictionary[Object, str] = weakref.WeakKeyDictionary()
"""The identifier of the user who began a task; none for root."""


def begin(
    world: World,
    session: Object | None,
    host: Object,
    label: str,
    description: str = "",
    *,
    cancellable: bool = True,
    notes: Mapping[str, str] | None = None,
) -> Object:
    """Make a task that is under way; `notes` are its `other_config`."""
    task = world.db.create(
        "task",
        name_label=label,
        name_description=description,
        allowed_operations=["cancel"] if cancellable else [],
        created=world.now(),
        resident_on=host.ref,
        status="pending",
        type="<none/>",
        other_config=dict(notes or {}),
    )
    if session is not None:
        _OWNERS[task] = user_of(world, session).sid
        world.db.update(session, tasks=[*session["tasks"], task.ref])
    return task


def succeed(world: World, task: Object, result: str = "") -> None:
    """End a task well.

    Args:
        world: The pool.
        task: One that is under way; one that has ended stays as it is.
        result: The XML-RPC text of the value, `<value>…</value>`.
    """
    _finish(world, task, status="success", result=result)


def fail(world: World, task: Object, failure: Failure) -> None:
    """End a task badly. TASK_CANCELLED makes it a cancelled one."""
    status = "cancelled" if failure.code == "TASK_CANCELLED" else "failure"
    _finish(world, task, status=status, error_info=failure.details)


def vanish(world: World, task: Object) -> None:
    """Take a task's record away. Work that is under way goes on."""
    for session in world.db.all("session"):
        if task.ref in session["tasks"]:
            world.db.update(session, tasks=[ref for ref in session["tasks"] if ref != task.ref])
    world.db.delete(task)


def abandon(world: World, task: Object) -> None:
    """Let a task's work end where it is, and take its record away: nobody learns what came of it."""
    if task["status"] in _UNDER_WAY:
        world.db.update(task, status="cancelling")
    vanish(world, task)


def show(world: World) -> list[dict[str, Any]]:
    """Return the tasks that are there as the control door tells them."""
    return [
        {"ref": task.ref, "name": task["name_label"], "status": task["status"], "progress": task["progress"]}
        for task in world.db.all("task")
    ]


def _finish(world: World, task: Object, **fields: Any) -> None:
    if task["status"] not in _UNDER_WAY:
        return
    unwanted = "destroy" in task["current_operations"].values()
    world.db.update(
        task, progress=1.0, finished=world.now(), allowed_operations=[], current_operations={}, **fields
    )  # fmt: skip
    if unwanted:
        vanish(world, task)
    else:
        world.later(world.options.task_seconds, lambda: vanish(world, task))


def _assert_own(call: Call, task: Object) -> None:
    """Everyone may change tasks of their own; those of others need a role."""
    assert call.session is not None
    if _OWNERS.get(task) != user_of(call.world, call.session).sid:
        demand(call.world, call.session, "pool-operator", "task.destroy/any")


@message("task.create(string label, string description) -> task ref", asynchronous=False)
def create(call: Call, label: str, description: str) -> Object:
    """Make a task for work that the caller does or has done, such as a transfer over HTTP."""
    return begin(call.world, call.session, call.member, label, description)


@message("task.destroy(task ref self) -> void", asynchronous=False)
def destroy(call: Call, self: Object) -> None:
    """Take a task away; one that is under way goes when it ends."""
    _assert_own(call, self)
    if self["status"] in _UNDER_WAY:
        call.world.db.update(self, current_operations=self["current_operations"] | {call.task_ref: "destroy"})
    else:
        vanish(call.world, self)


@message("task.cancel(task ref task) -> void")
def cancel(call: Call, task: Object) -> None:
    """Ask the work to end. What has ended already stays as it is."""
    _assert_own(call, task)
    if task["status"] not in _UNDER_WAY:
        return
    if "cancel" not in task["allowed_operations"] and task["status"] == "pending":
        raise Failure("OPERATION_NOT_ALLOWED", f"task {task.ref} cannot be cancelled")
    operations = task["current_operations"] | {call.task_ref: "cancel"}
    call.world.db.update(task, status="cancelling", allowed_operations=[], current_operations=operations)


@message("task.set_status(task ref self, enum task_status_type value) -> void", since="2.7", asynchronous=False)
def set_status(call: Call, self: Object, value: str) -> None:
    """Say whether one's own work is under way, or how it ended."""
    _assert_own(call, self)
    if value in _UNDER_WAY:
        call.world.db.update(self, status=value)
    else:
        _finish(call.world, self, status=value)


@message("task.set_progress(task ref self, float value) -> void", since="2.15", asynchronous=False)
def set_progress(call: Call, self: Object, value: float) -> None:
    """Say how far one's own work is."""
    _assert_own(call, self)
    call.world.db.update(self, progress=value)


@message("task.set_result(task ref self, string value) -> void", since="2.17", asynchronous=False)
def set_result(call: Call, self: Object, value: str) -> None:
    """Say what came of one's own work."""
    _assert_own(call, self)
    call.world.db.update(self, result=value)


@message("task.set_error_info(task ref self, string set value) -> void", since="2.17", asynchronous=False)
def set_error_info(call: Call, self: Object, value: list[str]) -> None:
    """Say what went wrong with one's own work."""
    _assert_own(call, self)
    call.world.db.update(self, error_info=value)


@message("task.set_other_config(task ref self, (string -> string) map value) -> void", since="1.2", asynchronous=False)
def set_other_config(call: Call, self: Object, value: dict[str, str]) -> None:
    """Set the map in which clients keep what they like."""
    _assert_own(call, self)
    call.world.db.update(self, other_config=value)


@message("task.add_to_other_config(task ref self, string key, string value) -> void", since="1.2", asynchronous=False)
def add_to_other_config(call: Call, self: Object, key: str, value: str) -> None:
    """Add to that map."""
    _assert_own(call, self)
    if key in self["other_config"]:
        raise Failure("MAP_DUPLICATE_KEY", "task", "other_config", self["uuid"], key)
    call.world.db.update(self, other_config=self["other_config"] | {key: value})


@message("task.remove_from_other_config(task ref self, string key) -> void", since="1.2", asynchronous=False)
def remove_from_other_config(call: Call, self: Object, key: str) -> None:
    """Drop a key of that map."""
    _assert_own(call, self)
    left = {name: value for name, value in self["other_config"].items() if name != key}
    call.world.db.update(self, other_config=left)
