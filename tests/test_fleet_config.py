"""The file that names the hosts of a fleet: what it may say, and how mistakes are told."""

from __future__ import annotations

import sys
import warnings

import pytest

import hvsdk
from hvsdk import errors
from hvsdk._fleet.config import read_text
from hvsdk._fleet.lines import line_of

FILE = """\
# the lab
[defaults]
timeout = 10
secret = "env:LAB"
tags = ["lab"]

[defaults.fake]
nodes = 3

[hosts.one]
url = "fake://root@one?domains=1"
tags = ["old"]

[hosts."two.b"]
url = "fake://two"
timeout = 5.5
verify = ["sha256:aa"]
username = "DOMAIN\\\\user"
readonly = true

[hosts]
three = { url = "fake://three", password = "literal" }
"""


@pytest.fixture
def endpoints():
    with pytest.warns(UserWarning, match=r"lab.toml, line 22: a password stands in the file"):
        return {endpoint.name: endpoint for endpoint in read_text(FILE, "lab.toml")}


def test_defaults_lie_under_what_a_host_says_itself(endpoints):
    assert dict(endpoints["one"].arguments) == {"timeout": 10, "nodes": 3, "password": hvsdk.SecretRef("env:LAB")}
    assert endpoints["two.b"].arguments["timeout"] == 5.5
    assert endpoints["two.b"].arguments["username"] == "DOMAIN\\user"


def test_tags_of_the_defaults_are_added_to_those_of_a_host(endpoints):
    assert endpoints["one"].tags == {"lab", "old"}


def test_a_password_takes_the_place_of_a_secret_of_the_defaults(endpoints):
    assert endpoints["three"].arguments["password"] == "literal"
    assert "literal" not in repr(endpoints["three"])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[hosts.a]\nurl = "fake://a"\ntimeuot = 3\n', 3, "fake has no option 'timeuot'"),
        ('[hosts.a]\nurl = "fake://a"\ntimeout = "3"\n', 3, "timeout is a whole number or a number"),
        ('[hosts.a]\nurl = "fake://a"\nreadonly = 1\n', 3, "readonly is true or false"),
        ("[hosts.a]\ntimeout = 1\n", 1, "has no url"),
        ('[hosts.a]\nurl = "nothing"\n', 2, "scheme://"),
        ('[hosts.a]\nurl = "fake://a"\nsecret = "plain"\n', 3, "a secret is named as"),
        ('[hosts.a]\nurl = "fake://a"\nsecret = "env:A"\npassword = "b"\n', 4, "not both"),
        ('[hots.a]\nurl = "fake://a"\n', 1, "there is no 'hots' here"),
        ('[defaults]\nnodes = 3\n[hosts.a]\nurl = "fake://a"\n', 2, "there is no argument 'nodes'"),
        ('[defaults.fake]\nnodse = 3\n[hosts.a]\nurl = "fake://a"\n', 2, "fake has no option 'nodse'"),
        ('[defaults]\nurl = "fake://a"\n[hosts.a]\nurl = "fake://a"\n', 2, "each host's own"),
        ('[hosts]\na = "fake://a"\n', 2, "hosts.a is a table"),
        ('[hosts.a]\nurl = "fake://a"\ntags = [1]\n', 3, "tags is a list of texts"),
    ],
)
def test_a_mistake_is_told_with_its_line(text, line, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(errors.InvalidSpecError, match=rf"f\.toml, line {line}: .*{message}"):
            read_text(text, "f.toml")


def test_what_is_no_toml_is_told_with_its_place():
    with pytest.raises(errors.InvalidSpecError, match=r"f\.toml is no TOML: .*line 2"):
        read_text("[hosts.a]\nurl = \n", "f.toml")


def test_a_file_without_hosts_is_refused():
    with pytest.raises(errors.InvalidSpecError, match="names no hosts"):
        read_text("[defaults]\ntimeout = 1\n", "f.toml")


def test_a_password_in_a_url_warns_and_is_not_shown():
    with pytest.warns(UserWarning, match="password in it") as caught:
        (endpoint,) = read_text('[hosts.a]\nurl = "fake://root:hush@a"\n', "f.toml")
    assert "hush" not in str(caught[0].message)
    with hvsdk.Fleet([endpoint]) as fleet:
        assert "hush" not in repr(fleet.host("a"))


def test_hosts_of_backends_that_are_not_here_are_read_all_the_same():
    (endpoint,) = read_text('[hosts.a]\nurl = "nonsuch://a"\nanything = 1\n', "f.toml")
    assert endpoint.url == "nonsuch://a"


def test_lines_are_found_in_spite_of_quotes_dots_and_comments():
    text = 'a.b = 1\n# c = 2\n["x.y".z]\n"k e y" = 3\n[[list]]\nm = 1\n'
    assert line_of(text, ("a", "b")) == 1
    assert line_of(text, ("x.y", "z", "k e y")) == 4
    assert line_of(text, ("list", "m")) == 6
    assert line_of(text, ("x.y", "z", "missing")) == 3
    assert line_of(text, ("nowhere",)) is None


def test_a_file_is_loaded_by_its_path(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text('[hosts.a]\nurl = "fake://a?domains=2"\n')
    with hvsdk.Fleet.load(path, parallel=2) as fleet:
        assert len(fleet.domains()) == 2


def test_a_command_gives_a_secret_without_a_shell():
    program = "import sys; print(sys.argv[1])"
    secret = hvsdk.SecretRef(f"command:{sys.executable} -c {program!r} '$(id) *'")
    with hvsdk.connect("fake://root@a?login_password=%24%28id%29%20*", password=secret) as host:
        assert host.domains()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/nonexistent/program x", "cannot be run: FileNotFoundError"),
        ("'unclosed", "cannot be read"),
        ("false", "failed with exit code 1"),
        (f"{sys.executable} -c \"print('hush'); raise SystemExit(3)\"", "failed with exit code 3"),
    ],
)
def test_a_command_that_fails_says_so_and_shows_nothing_of_what_it_printed(command, message):
    with pytest.raises(errors.AuthenticationError, match=message) as caught:
        hvsdk.connect("fake://root@a?login_password=x", password=hvsdk.SecretRef(f"command:{command}"))
    assert "hush" not in str(caught.value).replace(command, "")


def test_defaults_for_a_backend_that_nobody_has_are_told():
    text = '[defaults.{}]\nreadonly = true\n[defaults.xen]\ntimeout = 5\n[hosts.a]\nurl = "fake://a"\n'
    with pytest.raises(errors.InvalidSpecError, match=r"line 1: no backend is named 'fkae'.*did you mean 'fake'"):
        read_text(text.format("fkae"), "f.toml")
    with pytest.warns(UserWarning, match=r"line 1: no backend is named 'nimbus' here"):
        read_text(text.format("nimbus"), "f.toml")


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ('urk = "fake://a"', r"line 2: the host 'a' has no url, but 'urk'"),
        ("timeout = 5", r"line 1: the host 'a' has no url$"),
        ('url = "fake://a"\nverify = "sha265:aa:bb"', r"line 3: verify has no digest 'sha265'"),
        ('url = "fake://a"\nverify = "md5:aabb"', r"sha256:"),
    ],
)
def test_mistakes_of_a_host_are_told_with_their_line(host, told):
    with pytest.raises(errors.InvalidSpecError, match=told):
        read_text(f"[hosts.a]\n{host}\n", "f.toml")


@pytest.mark.parametrize("name", ["fake://root:hunter2@lab", "fake://root:hun#ter2@lab", "fake://:hunter2@lab"])
def test_a_name_with_a_password_in_it_is_refused_without_showing_it(name):
    with pytest.raises(errors.InvalidSpecError) as refused:
        hvsdk.Fleet({name: "fake://lab"})
    assert "hunter2" not in str(refused.value) + repr(refused.value)
    assert hvsdk.Fleet({"fake://root@lab": "fake://root:hunter2@lab"}).names
