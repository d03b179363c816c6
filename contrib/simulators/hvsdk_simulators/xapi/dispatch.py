"""From the name of a method and its parameters to the function behind it, and what is refused on the way."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from . import roles, sessions, tasks
from .arguments import read, resolve, resolve_keys
from .call import Call
from .database import Object
from .encoding import XML
from .failure import Failure
from .implicit import implicit_messages
from .messages import MESSAGES, Message
from .schema import NULL, SCHEMA, Kind, kind_of
from .world import World

__all__ = ["ASYNC", "Dispatcher", "Result"]

ASYNC = "Async."
_LIST_METHODS = "system.listMethods"


@frozen
class Result:
    """The value that a call returns, with its type."""

    kind: Kind
    value: Any


class Dispatcher:
    """All messages that a pool answers at its API version."""

    def __init__(self, world: World) -> None:
        self._world = world
        api = world.options.api
        explicit = {name: one for name, one in MESSAGES.items() if one.exists_at(api) and _class_exists(one, api)}
        self.messages: dict[str, Message] = {
            name: one for name, one in implicit_messages(api).items() if name not in MESSAGES
        } | explicit
        self._names = {name: name for name in self.messages}
        self._names |= {name.replace(".", "_", 1): name for name in self.messages}

    def name_of(self, method: str) -> str:
        """Return the usual name of a method that is called by another, such as `VM_start`."""
        prefix, plain = _split(method)
        return prefix + self._names.get(plain, plain)

    def call(
        self,
        member: Object,
        method: str,
        params: Sequence[Any],
        *,
        exact: bool = False,
        notes: Mapping[str, str] | None = None,
    ) -> Result:
        """Answer a call.

        Args:
            member: The host that is asked.
            method: As the caller named it.
            params: With the session, when it takes one.
            exact: Whether numbers without a point are no floats.
            notes: The `other_config` of the task, where the call makes one.

        Raises:
            Failure: It is refused, or fails.
        """
        if method == _LIST_METHODS:
            return Result(kind_of("string set"), sorted(self.messages))
        prefix, plain = _split(method)
        message = self.messages.get(self._names.get(plain, plain))
        if message is None or (prefix and not message.asynchronous):
            raise self._unknown(method, plain)
        given = self._arguments(message, plain, params, exact)
        with self._world.lock:
            session = self._admit(member, message, params)
            arguments = self._resolve(message, given)
            if prefix:
                return self._begin(member, message, session, arguments, notes or {})
            return self._run(Call(self._world, member, session, message=message), message, arguments)

    def _unknown(self, method: str, plain: str) -> Failure:
        gone = MESSAGES.get(plain)
        if gone is not None and gone.until is not None and gone.until <= self._world.options.api:
            return Failure("MESSAGE_REMOVED")
        return Failure("MESSAGE_METHOD_UNKNOWN", method)

    def _arguments(self, message: Message, called: str, params: Sequence[Any], exact: bool) -> list[Any]:
        """Check how many there are, and their types."""
        own = params[1:] if message.session else params
        needed = sum(param.required for param in message.params)
        if not needed <= len(own) <= len(message.params) or (message.session and not params):
            received = len(params) - 1 if message.session else len(params)
            raise Failure("MESSAGE_PARAMETER_COUNT_MISMATCH", called, str(needed), str(received))
        if message.session and not isinstance(params[0], str):
            raise Failure("FIELD_TYPE_ERROR", "session_id")
        found = [
            read(self._world, param.kind, value, param.name, exact=exact)
            for param, value in zip(message.params, own, strict=False)
        ]
        return found + [param.default for param in message.params[len(own) :]]

    def _admit(self, member: Object, message: Message, params: Sequence[Any]) -> Object | None:
        """Check that this member answers it, and that the session may."""
        if not message.on_slaves and member.ref != self._world.pool["master"]:
            raise Failure("HOST_IS_SLAVE", self._world.master["address"])
        if not message.session:
            return None
        session = sessions.live(self._world, params[0], member)
        roles.check(self._world, session, message)
        return session

    def _resolve(self, message: Message, given: list[Any]) -> list[Any]:
        """Look up references. The object that a message is of must be there."""
        for number, (param, value) in enumerate(zip(message.params, given, strict=True)):
            own = number == 0 and param.kind.name == "ref" and param.kind.target == message.cls
            if own and value == NULL:
                raise Failure("HANDLE_INVALID", message.cls, NULL)
        return [
            resolve_keys(self._world, param.kind, value)
            if param.name in message.elsewhere
            else resolve(self._world, param.kind, value)
            for param, value in zip(message.params, given, strict=True)
        ]

    def _run(self, call: Call, message: Message, arguments: list[Any]) -> Result:
        try:
            return Result(message.result, message.function(call, *arguments))
        except Failure:
            raise
        except Exception as error:  # a fault of this server: the caller hears of it as of the product's own
            print(f"{message.full_name}:", file=sys.stderr)
            traceback.print_exc()
            raise Failure("INTERNAL_ERROR", f"{type(error).__name__}: {error}") from error

    def _begin(
        self,
        member: Object,
        message: Message,
        session: Object | None,
        arguments: list[Any],
        notes: Mapping[str, str],
    ) -> Result:
        task = tasks.begin(self._world, session, member, f"{ASYNC}{message.full_name}", notes=notes)
        call = Call(self._world, member, session, task=task, message=message)
        threading.Thread(
            target=self._work, args=(call, task, message, arguments), name=message.full_name, daemon=True
        ).start()
        return Result(kind_of("task ref"), task)

    def _work(self, call: Call, task: Object, message: Message, arguments: list[Any]) -> None:
        with self._world.lock:
            try:
                result = self._run(call, message, arguments)
                text = "" if result.kind.name == "void" else XML.text(self._world, result.kind, result.value).decode()
            except Failure as failure:
                tasks.fail(self._world, task, failure)
            else:
                tasks.succeed(self._world, task, text)


def _split(method: str) -> tuple[str, str]:
    return (ASYNC, method.removeprefix(ASYNC)) if method.startswith(ASYNC) else ("", method)


def _class_exists(message: Message, api: tuple[int, int]) -> bool:
    cls = SCHEMA.get(message.cls)
    return cls is None or cls.exists_at(api)
