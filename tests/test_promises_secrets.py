"""No secret in an error, though client libraries and servers repeat in theirs what they were sent."""

from __future__ import annotations

import base64
import pickle
import traceback
from urllib.parse import quote

import pytest
import toy

from hvsdk import errors
from hvsdk._deadline import Deadline
from hvsdk._door import Door
from hvsdk._door_errors import LONGEST_TEXT
from hvsdk.driver import Operation, PasswordCredentials, Target

SECRET = "hidden/5f2c & more"
SPELLINGS = (SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode())
READ = Operation(id="1", verb="get_domain", native_id="web")


class StubbornError(toy.ToyError):
    """Keeps its text where nobody can reach it."""

    def __str__(self) -> str:
        return f"login({SECRET!r}) failed"


@pytest.fixture
def door():
    backend, driver_class, target, world = toy.toy()

    def open_it(self, *, deadline):
        assert self.target.credentials().password == SECRET
        self.world.enter("open")

    driver_class.open = open_it
    target = Target(
        url=target.url,
        scheme="toy",
        backend="toy",
        timeout=5.0,
        credentials=lambda: PasswordCredentials(username="root", password=SECRET),
    )
    door = Door(backend, driver_class, target)
    yield door, world
    door.close()


def read(door):
    return door.read(READ, lambda d, limit: d.get_domain("web", frozenset(), deadline=limit), Deadline(5.0))


def printed(exc: BaseException) -> str:
    return "".join(traceback.format_exception(exc)) + repr(exc) + repr(pickle.loads(pickle.dumps(exc)))


def fails(exc: BaseException):
    def step() -> None:
        raise exc

    return step


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_vendors_error_that_repeats_the_password_does_not_show_it(door, spelling):
    way, world = door
    world.plan("get_domain", fails(toy.ToyError(f"bad request: <value>{spelling}</value>")))
    with pytest.raises(errors.OperationFailedError) as caught:
        read(way)
    assert not any(one in printed(caught.value) for one in SPELLINGS)
    assert "***" in str(caught.value)


def test_a_cause_that_cannot_be_cleaned_is_left_out(door):
    way, world = door
    world.plan("get_domain", fails(StubbornError("x")))
    with pytest.raises(errors.OperationFailedError) as caught:
        read(way)
    assert SECRET not in printed(caught.value)


def test_a_failed_login_does_not_show_it_either(door):
    way, world = door
    world.plan("open", fails(toy.ToyError(f"refused: root:{SECRET}")))
    with pytest.raises(errors.OperationFailedError) as caught:
        read(way)
    assert SECRET not in printed(caught.value)


def test_an_error_of_hvsdk_and_a_bug_are_cleaned_too(door):
    way, world = door
    world.plan("get_domain", fails(errors.InvalidSpecError(f"no {SECRET}", hint=f"not {SECRET}")))
    with pytest.raises(errors.InvalidSpecError) as ours:
        read(way)
    world.plan("get_domain", fails(KeyError(SECRET)))
    with pytest.raises(KeyError) as bug:
        read(way)
    assert SECRET not in printed(ours.value) + printed(bug.value)


@pytest.mark.parametrize("error", [errors.OperationFailedError, toy.ToyError])
def test_a_long_text_is_cleaned_before_it_is_cut(door, error):
    way, world = door
    for before in range(LONGEST_TEXT - len(SECRET), LONGEST_TEXT + 1):
        world.plan("get_domain", fails(error("x" * before + SECRET + "y" * 100)))
        with pytest.raises(errors.OperationFailedError) as caught:
            read(way)
        assert SECRET[:4] not in caught.value.message
        assert caught.value.message.count("characters more") == 1


def test_the_target_does_not_show_what_it_handed_out(door):
    way, _ = door
    read(way)
    assert SECRET not in repr(way.target)
