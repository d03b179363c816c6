from __future__ import annotations

import os
import pickle
import sys
import warnings
from getpass import GetPassWarning
from types import SimpleNamespace

import login_toy
import pytest
from login_toy import LoginToy

import hvsdk
from hvsdk import SecretRef, errors
from hvsdk._secrets import read_secret
from hvsdk.driver import PasswordCredentials, TokenCredentials


def login(url="toy://root@server", **options):
    hvsdk.connect(url, **options)
    return LoginToy.logins[-1]


@pytest.fixture
def keyring(toy_backend, monkeypatch):
    """Install a keyring package that holds what is put into its `entries`."""
    error = type("KeyringError", (Exception,), {})
    entries = {}

    def get_password(service, user):
        answer = entries.get((service, user))
        if isinstance(answer, Exception):
            raise answer
        return answer

    module = SimpleNamespace(get_password=get_password, errors=SimpleNamespace(KeyringError=error), entries=entries)
    monkeypatch.setitem(sys.modules, "keyring", module)
    return module


def test_the_order_is_argument_url_hook_environment_keyring(toy_backend, register, monkeypatch, keyring):
    toy_backend()
    assert login() is None
    keyring.entries["hvsdk", "root@server"] = "from keyring"
    assert login().password == "from keyring"
    monkeypatch.setenv("HVSDK_TOY_PASSWORD", "from environment")
    assert login().password == "from environment"
    register(login_toy.plugin(hvsdk_credentials=lambda target: TokenCredentials(token="from hook")))
    assert login() == TokenCredentials(token="from hook")
    assert login("toy://root:from-url@server").password == "from-url"
    assert login("toy://root:from-url@server", password="argument").password == "argument"


def test_the_environment_names_the_user_too(toy_backend, monkeypatch):
    toy_backend(name="my-toy")
    monkeypatch.setenv("HVSDK_MY_TOY_PASSWORD", "x")
    monkeypatch.setenv("HVSDK_MY_TOY_USERNAME", "admin")
    assert login("toy://server") == PasswordCredentials(username="admin", password="x")
    assert login("toy://admin@server") == PasswordCredentials(username="admin", password="x")
    assert login("toy://other@server") is None


def test_an_empty_password_is_a_password(toy_backend):
    toy_backend()
    assert login("toy://root:@server").password == ""
    assert login(password="").password == ""


def test_a_reference_to_nothing_is_refused_before_the_host_is_asked(toy_backend, monkeypatch, tmp_path, keyring):
    toy_backend()
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "empty").chmod(0o600)
    monkeypatch.setenv("EMPTY", "")
    for reference in ("env:EMPTY", f"file:{tmp_path / 'empty'}", "command:echo"):
        with pytest.raises(errors.AuthenticationError, match="is empty") as refused:
            read_secret(SecretRef(reference))
        assert "was not asked" in refused.value.hint
    monkeypatch.setenv("HVSDK_TOY_PASSWORD", "")
    assert login("toy://server") is None


def test_a_locked_keyring_is_passed_over(toy_backend, keyring):
    toy_backend()
    keyring.entries["hvsdk", "root@server"] = keyring.errors.KeyringError("locked")
    assert login() is None


def test_a_keyring_named_by_a_reference_must_answer(keyring):
    keyring.entries["mine", "CORP\\me"] = "s"
    assert read_secret(SecretRef("keyring:mine/CORP\\me")) == "s"
    keyring.entries["mine", "CORP\\me"] = keyring.errors.KeyringError("s3cret")
    with pytest.raises(errors.AuthenticationError, match="KeyringError") as caught:
        read_secret(SecretRef("keyring:mine/CORP\\me"))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(errors.AuthenticationError, match="no secret at keyring:mine/you"):
        read_secret(SecretRef("keyring:mine/you"))


def test_a_reference_to_a_keyring_needs_the_package(toy_backend):
    with pytest.raises(errors.AuthenticationError, match="pip install keyring"):
        read_secret(SecretRef("keyring:a/b"))


@pytest.mark.parametrize("reference", ["", "x", "env:", "file:", "vault:x", "keyring:x", "keyring:/x", "keyring:x/"])
def test_a_reference_has_one_of_three_forms(reference):
    with pytest.raises(ValueError, match="env:NAME"):
        SecretRef(reference)


@pytest.mark.parametrize(("content", "secret"), [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), (" s \n\n", " s \n")])
def test_a_file_holds_the_secret_and_at_most_one_line_end(tmp_path, content, secret):
    path = tmp_path / "secret"
    path.write_bytes(content.encode())
    path.chmod(0o600)
    assert read_secret(SecretRef(f"file:{path}")) == secret


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_file_that_others_can_reach_is_refused(tmp_path, mode):
    path = tmp_path / "secret"
    path.write_text("s")
    path.chmod(mode)
    with pytest.raises(errors.AuthenticationError, match="chmod 600"):
        read_secret(SecretRef(f"file:{path}"))


def test_what_is_no_secrets_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(errors.AuthenticationError, match="no regular file"):
        read_secret(SecretRef(f"file:{tmp_path / 'pipe'}"))
    with pytest.raises(errors.AuthenticationError, match="No such file"):
        read_secret(SecretRef(f"file:{tmp_path / 'nothing'}"))
    for content, said in ((b"\xff", "UTF-8"), (b"x" * 70000, "too large")):
        (tmp_path / "file").write_bytes(content)
        (tmp_path / "file").chmod(0o600)
        with pytest.raises(errors.AuthenticationError, match=said):
            read_secret(SecretRef(f"file:{tmp_path / 'file'}"))


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(errors.AuthenticationError, match="env:NOT_SET"):
        read_secret(SecretRef("env:NOT_SET"))


def test_ask_asks_once_at_connect(toy_backend, monkeypatch):
    toy_backend()
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "typed")
    host = hvsdk.connect("toy://root@server", password=hvsdk.ASK)
    assert LoginToy.targets[-1].credentials().password == "typed"
    assert asked == ["Password for root@server: "]
    assert "typed" not in repr(host._recipe)


@pytest.mark.parametrize("trouble", ["echo", "end"])
def test_ask_without_a_terminal_is_an_error(toy_backend, monkeypatch, trouble):
    toy_backend()

    def getpass(prompt):
        if trouble == "end":
            raise EOFError
        warnings.warn("can not control echo", GetPassWarning, stacklevel=2)

    monkeypatch.setattr("getpass.getpass", getpass)
    with pytest.raises(errors.AuthenticationError, match="no terminal"):
        hvsdk.connect("toy://root@server", password=hvsdk.ASK)


def test_ask_stays_itself_in_a_pickle():
    assert pickle.loads(pickle.dumps(hvsdk.ASK)) is hvsdk.ASK


@pytest.mark.parametrize(
    "credentials",
    [
        PasswordCredentials(username="u", password="Hunter2"),
        TokenCredentials(token="Hunter2"),
        hvsdk.KeyCredentials(key_file="/k", passphrase="Hunter2"),
    ],
)
def test_credentials_do_not_show_their_secret(credentials):
    assert "Hunter2" not in repr(credentials)
    assert "Hunter2" not in f"{credentials}"
