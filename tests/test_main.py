from __future__ import annotations

import json
import subprocess
import sys

import login_toy
import pytest

from hvsdk.__main__ import main


@pytest.fixture
def output(capsys):
    def run(*arguments):
        code = main(arguments)
        return code, capsys.readouterr().out

    return run


def rows(text):
    return {row["name"]: row for row in json.loads(text)}


def test_backends_are_listed_with_their_schemes(output):
    _, text = output()
    assert "fake" in text
    assert "URLs: fake://" in text


def test_capabilities_are_those_of_the_driver_class(output, register):
    register(login_toy.plugin(login_toy.backend()))
    _, text = output("--capabilities", "--json")
    toy = rows(text)["toy"]
    assert (toy["error"], toy["schemes"]) == (None, ["toy", "toy+http"])
    assert toy["capabilities"] == ["multiprocess", "pause", "power_off", "start"]


def test_without_capabilities_no_driver_is_loaded(output, register):
    register(login_toy.plugin(login_toy.backend(driver="no_such_module:Driver")))
    _, text = output("--json")
    assert rows(text)["toy"]["error"] is None
    assert "no_such_module" not in sys.modules


def test_a_missing_client_library_is_a_load_failure(output, register):
    register(login_toy.plugin(login_toy.backend(driver="no_such_module:Driver")))
    code, text = output("--capabilities")
    assert code == 1
    assert "CANNOT BE USED" in text
    assert "no_such_module is not installed" in text


def test_a_broken_plugin_is_listed_and_shown_on_one_line_without_control_sequences(output, register):
    def crash():
        raise RuntimeError("bad\nnews\x1b[2J")

    register(login_toy.plugin(hvsdk_backends=crash), "broken")
    code, text = output()
    assert code == 1
    [line] = [line for line in text.splitlines() if "CANNOT BE USED" in line]
    assert r"bad\nnews\x1b[2J" in line


def test_options_are_listed(output, register):
    register(login_toy.plugin(login_toy.backend()))
    _, text = output("--options")
    assert "option size: how big" in text
    _, text = output("--options", "--json")
    assert rows(text)["toy"]["options"]["loud"] == "whether"


def test_an_unknown_argument_is_a_usage_error(output):
    with pytest.raises(SystemExit) as caught:
        output("--nonsense")
    assert caught.value.code == 2


def test_conformance_is_the_kits_own_command(output, monkeypatch):
    import hvsdk.testing

    given = []
    monkeypatch.setitem(vars(hvsdk.testing), "conformance_command", lambda argv: given.append(argv) or 3)
    assert output("conformance", "fake://x", "--create") == (3, "")
    assert given == [["fake://x", "--create"]]


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "hvsdk", "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "fake" in rows(done.stdout)
    assert done.stderr == ""
