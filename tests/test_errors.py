import pickle

import pytest

from hvsdk import errors
from hvsdk.enums import PowerState

ALL = [getattr(errors, name) for name in errors.__all__]
OWN = {
    errors.CertificateError: {"fingerprint": "sha256:" + "0f" * 32},
    errors.AmbiguousNameError: {"candidates": (("vm-1", None, "node-a"), ("vm-2", "u", None))},
    errors.PowerStateError: {"state": PowerState.PAUSED},
    errors.GuestAgentError: {"not_yet": True},
    errors.UnsupportedError: {"capability": "screenshot"},
    errors.OperationTimeoutError: {"last_seen": PowerState.RUNNING},
    errors.OutcomeUnknownError: {"last_seen": PowerState.CHANGING},
}


def made(cls):
    common = {"backend": "kvm", "host": "qemu:///system", "hint": "look there", "native_code": 38}
    return cls("it broke", **common, **OWN.get(cls, {}))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_is_pickled_with_its_attributes(cls, protocol):
    error = made(cls)
    copy = pickle.loads(pickle.dumps(error, protocol))
    assert type(copy) is cls
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
    assert copy.args == error.args


@pytest.mark.parametrize("cls", ALL)
def test_every_error_shows_host_and_hint(cls):
    assert str(made(cls)) == "it broke [qemu:///system] (look there)"


@pytest.mark.parametrize("cls", ALL)
def test_every_error_can_be_made_of_a_message_alone(cls):
    error = cls("it broke")
    assert str(error) == "it broke"
    assert (error.backend, error.host, error.hint, error.native_code) == (None, None, None, None)


def test_every_error_is_documented_and_ours():
    assert all(issubclass(cls, errors.HvsdkError) and cls.__doc__ for cls in ALL)
    public = {
        name
        for name, value in vars(errors).items()
        if getattr(value, "__module__", "") == errors.__name__ and not name.startswith("_")
    }
    assert public == set(errors.__all__)


def test_a_host_that_the_message_names_is_not_repeated():
    error = errors.ConnectError("cannot reach qemu:///system", host="qemu:///system")
    assert str(error) == "cannot reach qemu:///system"


def test_the_cause_does_not_travel():
    error = errors.OperationFailedError("no")
    error.__cause__ = ValueError("vendor")
    assert pickle.loads(pickle.dumps(error)).__cause__ is None


def test_a_timeout_is_also_pythons():
    with pytest.raises(TimeoutError):
        raise errors.OperationTimeoutError("late")


def test_attributes_can_be_set_by_whoever_knows_more():
    error = errors.DomainNotFoundError("no such domain")
    error.host = "fake://demo"
    error.backend = "fake"
    assert str(pickle.loads(pickle.dumps(error))) == "no such domain [fake://demo]"
