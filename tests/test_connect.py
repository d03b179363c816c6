from __future__ import annotations

import traceback
import warnings

import login_toy
import pytest
from login_toy import LoginToy

import hvsdk
from hvsdk import errors
from hvsdk.driver import KerberosCredentials, Option, PasswordCredentials, Target

PIN = "sha256:" + "ab" * 32


def target() -> Target:
    return LoginToy.targets[-1]


def test_the_driver_gets_the_url_taken_apart(toy_backend):
    toy_backend(pass_query=True)
    hvsdk.connect("toy://me@corp@Server:99/a%20b?size=7&native=x%20y")
    seen = target()
    assert (seen.scheme, seen.username, seen.hostname, seen.port) == ("toy", "me@corp", "server", 99)
    assert (seen.path, dict(seen.query), seen.options["size"]) == ("/a b", {"native": "x y"}, 7)
    assert seen.url == "toy://me%40corp@server:99/a%20b?native=x%20y"


def test_keywords_win_over_the_url(toy_backend):
    toy_backend()
    hvsdk.connect("toy://me:urlsecret@server:99?size=7", username="CORP\\you", port=5, size=8, password="given")
    assert (target().username, target().port, target().options["size"]) == ("CORP\\you", 5, 8)
    assert target().url == "toy://CORP%5Cyou@server:5"
    assert LoginToy.logins == [PasswordCredentials(username="CORP\\you", password="given")]


def test_defaults_fill_what_was_not_given(toy_backend):
    toy_backend()
    hvsdk.connect("toy://server", loud=None)
    assert (target().port, target().timeout, target().username) == (4443, 30.0, None)
    assert dict(target().options) == {"size": 3, "ratio": None, "loud": False, "color": None}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("YES", True), ("off", False), ("0", False), ("False", False)]
)
def test_options_in_the_url_become_bools(toy_backend, text, value):
    toy_backend()
    hvsdk.connect(f"toy://server?loud={text}")
    assert target().options["loud"] is value


def test_whole_numbers_will_do_for_numbers(toy_backend):
    toy_backend()
    hvsdk.connect("toy://server", ratio=2)
    assert repr(target().options["ratio"]) == "2.0"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"sise": 1}, TypeError, r"no option 'sise' \(did you mean 'size'\?\); it has: color, loud, ratio, size"),
        ({"verfy": False}, TypeError, r"no option 'verfy' \(did you mean 'verify'\?\); it has: color"),
        ({"size": "many"}, TypeError, "the option size of toy:// is a whole number, not 'many'"),
        ({"size": True}, TypeError, "size of toy:// is a whole number, not True"),
        ({"size": 1.5}, TypeError, "size of toy:// is a whole number, not 1.5"),
        (
            {"loud": "perhaps"},
            TypeError,
            r"loud of toy:// is a bool \(true or false, yes or no, 1 or 0\), not 'perhaps'",
        ),
        ({"size": "9" * 50 + "x"}, TypeError, "not '9{40}…'"),
        ({"color": 4}, TypeError, "color of toy:// is a text"),
        ({"color": "blue"}, ValueError, "'red', 'green'"),
        ({"color": "gren"}, ValueError, r"'red', 'green' \(did you mean 'green'\?\)"),
        ({"port": 0}, ValueError, "1 to 65535"),
        ({"port": "x"}, TypeError, "port= is a number"),
        ({"timeout": 0}, ValueError, "above 0"),
        ({"timeout": float("nan")}, ValueError, "above 0"),
        ({"deadline": "1"}, TypeError, "number of seconds"),
        ({"allow": {"start"}}, ValueError, "console, native, open_disk, not start"),
        ({"tls": "old"}, ValueError, "legacy"),
        ({"verify": "/no/such/file"}, ValueError, "/no/such/file"),
        ({"verify": "sha256:abc"}, ValueError, "64 hex"),
        ({"verify": "SHA1 Fingerprint=" + ":".join(["AB"] * 20)}, ValueError, "a pin is sha256:"),
        ({"verify": ":".join(["AB"] * 20)}, ValueError, "a pin is sha256:"),
        ({"verify": "ab" * 33}, ValueError, "a pin is sha256:"),
        ({"verify": []}, ValueError, "verify="),
        ({"password": 7}, TypeError, "password="),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_opened(toy_backend, options, error, said):
    toy_backend()
    with pytest.raises(error, match=said):
        hvsdk.connect("toy://server", **options)
    assert LoginToy.targets == []


@pytest.mark.parametrize(
    "query", ["sise=Hunter2", "password=Hunter2", "Size=Hunter2", "size=1&size=Hunter2", "color=Hunter2"]
)
def test_wrong_parameters_are_named_without_their_value(toy_backend, query):
    toy_backend()
    with pytest.raises((TypeError, ValueError)) as caught:
        hvsdk.connect(f"toy://server?{query}")
    assert query.partition("=")[0] in str(caught.value)
    assert "Hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["tls", "timeout", "readonly", "verify", "deadline", "allow", "username", "backend"])
def test_arguments_of_connect_are_no_parameters_of_the_url(toy_backend, name):
    toy_backend()
    with pytest.raises(TypeError, match=f"^{name}= is an argument of connect"):
        hvsdk.connect(f"toy://server?{name}=3")


def test_a_password_in_the_query_is_refused_even_where_the_client_library_reads_it(toy_backend):
    toy_backend(pass_query=True)
    with pytest.raises(TypeError, match="password"):
        hvsdk.connect("toy://server?password=x")


def test_the_url_is_a_text(toy_backend):
    with pytest.raises(TypeError, match="bytes"):
        hvsdk.connect(b"toy://server")


COLONS = ":".join(["AB"] * 32)


@pytest.mark.parametrize(
    "verify",
    [
        *(
            PIN,
            PIN.upper(),
            [PIN],
            f"sha256:{COLONS}",
            f"sha256 Fingerprint={COLONS}",
            f"SHA256 Fingerprint={COLONS}\n",
        ),
        *(COLONS, "ab" * 32, [COLONS.lower()], COLONS.replace(":", " ")),
    ],
)
def test_pins_are_normalised(toy_backend, verify):
    toy_backend()
    hvsdk.connect("toy://server", verify=verify)
    assert target().tls.pins == (PIN,)
    assert target().tls.verify


def test_several_pins_and_old_tls_reach_the_driver(toy_backend):
    other = "sha256:" + "cd" * 32
    toy_backend()
    hvsdk.connect("toy://server", verify=[PIN, other], tls="legacy")
    assert (target().tls.pins, target().tls.legacy) == ((PIN, other), True)


def test_a_ca_file_reaches_the_driver_with_its_whole_path(toy_backend, tmp_path, monkeypatch):
    (tmp_path / "ca.pem").write_text("")
    monkeypatch.chdir(tmp_path)
    toy_backend()
    hvsdk.connect("toy://server", verify="ca.pem")
    assert target().tls.ca_file == str(tmp_path / "ca.pem")


def test_verify_false_warns_at_the_line_of_the_caller(toy_backend):
    toy_backend()
    with pytest.warns(UserWarning, match="certificate is not checked") as caught:
        hvsdk.connect("toy://server", verify=False)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_backend_that_cannot_pin_says_what_to_do(toy_backend):
    toy_backend(pins=False, tls_hint="use pkipath")
    with pytest.raises(errors.UnsupportedError, match="use pkipath"):
        hvsdk.connect("toy://server", verify=PIN)


@pytest.mark.parametrize("options", [{"verify": False}, {"verify": PIN}, {"tls": "legacy"}])
def test_a_scheme_without_tls_takes_no_tls_arguments(toy_backend, options):
    toy_backend(tls_schemes=(), loopback_only=())
    with pytest.raises(errors.UnsupportedError, match="takes no verify="):
        hvsdk.connect("toy://server", **options)


def test_clear_text_is_for_loopback(toy_backend):
    toy_backend()
    hvsdk.connect("toy+http://127.0.0.1")
    hvsdk.connect("toy+http://[::1]")
    with pytest.raises(errors.UnsupportedError, match=r"clear text.*toy://"):
        hvsdk.connect("toy+http://server")
    with pytest.raises(errors.UnsupportedError, match="no certificate"):
        hvsdk.connect("toy+http://127.0.0.1", verify=PIN)
    with pytest.warns(UserWarning, match="clear text"):
        hvsdk.connect("toy+http://server", verify=False)
    assert len(LoginToy.targets) == 3


def test_on_loopback_nothing_warns(toy_backend):
    toy_backend()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hvsdk.connect("toy+http://localhost", verify=False)


def test_other_credentials_may_be_given_as_the_password(toy_backend):
    toy_backend()
    hvsdk.connect("toy://server", password=KerberosCredentials(principal="me@CORP"))
    assert LoginToy.logins == [KerberosCredentials(principal="me@CORP")]


def test_a_driver_that_cannot_use_the_credentials_refuses_them():
    target = Target(url="toy://x", scheme="toy", credentials=lambda: KerberosCredentials())
    with pytest.raises(errors.AuthenticationError, match="kerberos"):
        target.credentials("password")


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("toy://me:Hunter2@server:bad", {}),
        ("toy://me:Hunter2@server?sise=1", {}),
        ("toy://me:Hun/ter2@server", {}),
        ("toy://me:Hunter2@server", {"size": "x"}),
        ("toy://me@server", {"password": "Hunter2", "size": "x"}),
        ("nosuch://me:Hunter2@server", {}),
    ],
)
def test_no_frame_of_ours_shows_the_password_in_a_traceback(toy_backend, url, options):
    toy_backend()
    with pytest.raises((ValueError, TypeError, errors.UnknownBackendError)) as caught:
        hvsdk.connect(url, **options)
    traced = caught.value.__traceback__
    assert traced is not None
    ours = traceback.TracebackException(type(caught.value), caught.value, traced.tb_next, capture_locals=True)
    shown = "".join(ours.format())
    assert "connect" in shown
    assert "ter2" not in shown


def test_the_host_shows_no_password(toy_backend):
    toy_backend()
    host = hvsdk.connect("toy://me:Hunter2@server")
    for text in (repr(host), host.url, repr(target()), repr(host._recipe), target().shown()):
        assert "Hunter2" not in text
    assert LoginToy.logins[0].password == "Hunter2"


def test_credentials_are_asked_for_again_at_each_login(toy_backend, monkeypatch):
    toy_backend()
    monkeypatch.setenv("TOY_SECRET", "first")
    hvsdk.connect("toy://me@server", password=hvsdk.SecretRef("env:TOY_SECRET"))
    monkeypatch.setenv("TOY_SECRET", "second")
    assert target().credentials().password == "second"


def test_arguments_for_the_host_reach_it(toy_backend):
    toy_backend()
    host = hvsdk.connect("toy://server", readonly=True, allow="native", deadline=9)
    assert host.readonly
    assert target().readonly
    with pytest.raises(errors.PermissionDeniedError):
        host.domain("web").start()


def test_an_object_may_be_an_option(toy_backend):
    toy_backend(options={"thing": Option(help="any", type=list)})
    hvsdk.connect("toy://server", thing=[1])
    assert target().options["thing"] in ([1], (1,))
    with pytest.raises(TypeError, match="list"):
        hvsdk.connect("toy://server?thing=x")


def test_a_broken_driver_is_found_before_anybody_is_asked_for_a_password(toy_backend, monkeypatch):
    toy_backend(driver="login_toy:Missing")
    monkeypatch.setattr("getpass.getpass", lambda prompt: pytest.fail("asked"))
    with pytest.raises(errors.BackendLoadError, match="Missing"):
        hvsdk.connect("toy://server", password=hvsdk.ASK)


def test_the_toy_is_gone_after_the_test_that_registered_it(register):
    register(login_toy.plugin(login_toy.backend()))
    assert "toy" in [status.name for status in hvsdk.backends()]
