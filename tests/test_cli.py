"""The command line: what it prints for people and for scripts, what it asks, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the command line is an extra")

import hvsdk
from hvsdk.__main__ import main
from hvsdk._cli.output import csv_cell

FAKE = "fake://lab?domains=3"
DEAD = "fake://dead?fault=open:drop-before*99"
DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(autouse=True)
def _no_fleet(monkeypatch):
    for name in ("HVSDK_FLEET", "HVSDK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fleet(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[hosts.a]\nurl = "{FAKE}"\ntags = ["old"]\n[hosts.b]\nurl = "fake://b?domains=2"\n[hosts.dead]\nurl = "{DEAD}"\n'
    )
    return str(path)


@pytest.mark.parametrize(
    "command", ["show --name * --json", "ls --json", "--help", "backends --capabilities", "doctor"]
)
def test_a_reader_that_has_seen_enough_is_no_error(command):
    arguments = [*command.split()] + ([] if command.startswith(("-", "b")) else ["--url", "fake://lab?domains=500"])
    if command.startswith("show"):
        arguments = ["show", "*", "--url", "fake://lab?domains=500"]
    with subprocess.Popen(
        [sys.executable, "-m", "hvsdk", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.wait(30) == 141
    assert said == ""


def test_a_warning_says_what_it_says_and_not_where_it_comes_from(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text('[hosts.a]\nurl = "fake://a?domains=1"\npassword = "x"\n')
    done = subprocess.run(
        [sys.executable, "-m", "hvsdk", "ls", "--fleet", str(path)], capture_output=True, text=True, check=True
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"warning: {path}, line 3: a password stands in the file; ")


def test_a_snapshot_that_is_not_there_is_not_found(capsys):
    assert main(["snapshot", "revert", "--url", FAKE, "--snapshot", "nope", "web-1", "-y"]) == 4


def test_show_has_a_row_for_each_domain_with_csv(capsys):
    assert main(["show", "*", "--url", FAKE, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 3
    assert json.loads(rows[0]["disks"])[0]["id"]


def test_what_makes_no_sense_is_so_however_it_is_found_out(capsys):
    assert main(["ls", "--url", "nope://x"]) == 2
    assert main(["ls", "--url", "fake://x?domians=3"]) == 2
    assert main(["ls", "--url", DEAD]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "ConnectionLost" in told.err


@pytest.mark.parametrize("command", ["power-off", "snapshot create --snapshot s"])
def test_readonly_holds_for_every_way_to_name_hosts(capsys, fleet, monkeypatch, command):
    for way in (["--url", FAKE], ["--fleet", fleet, "--host", "a"]):
        assert main([*command.split(), *way, "web-1", "--yes", "--readonly"]) == 5
        assert "readonly" in capsys.readouterr().err
    monkeypatch.setenv("HVSDK_FLEET", fleet)
    assert main([*command.split(), "--host", "a", "web-1", "--yes", "--readonly"]) == 5
    assert main([*command.split(), "--host", "a", "web-1", "--yes"]) == 0


def test_a_listing_is_a_table_for_people(capsys):
    assert main(["ls", "--url", FAKE]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split()[:3] == ["host", "name", "state"]
    assert "web-1" in out


def test_a_partial_answer_has_an_exit_code_of_its_own_and_tells_who_is_missing(capsys, fleet):
    assert main(["ls", "--fleet", fleet, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert len(told["items"]) == 5
    assert {item["host"] for item in told["items"]} == {"a", "b"}
    assert [(one["host"], one["kind"]) for one in told["failures"]] == [("dead", "ConnectionLost")]


@pytest.mark.parametrize("host", ["lab?domains=3", "lab?login_password=another", "dead?fault=open:drop-before*99"])
def test_a_password_in_a_url_is_shown_and_recorded_nowhere(capsys, tmp_path, host):
    url, file = f"fake://root:hunter%2f2@{host}", tmp_path / "inventory.db"
    for command in ("ls", "stats", "doctor", "hosts"):
        main([command, "--url", url])
        main([command, "--url", url, "--json"])
    main(["start", "--url", url, "db-1", "--yes"])
    main(["inventory", "record", str(file), "--url", url])
    said = "".join(capsys.readouterr())
    assert "fake://root@" in said
    for one in (said, *(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())):
        assert "hunter" not in one


def test_urls_that_differ_in_their_password_alone_are_refused_without_showing_it(capsys):
    assert main(["ls", "--url", "fake://a:hunter1@lab", "--url", "fake://a:hunter2@lab"]) == 2
    assert main(["ls", "--url", "fake://a:hunt#er@lab"]) == 2
    assert "hunt" not in "".join(capsys.readouterr())


def test_no_answer_at_all_is_a_failure(capsys):
    assert main(["ls", "--url", DEAD, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["items"] == []


def test_the_fleet_is_found_in_the_environment(capsys, fleet, monkeypatch):
    monkeypatch.setenv("HVSDK_FLEET", fleet)
    assert main(["ls", "--host", "a", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["items"]) == 3
    assert main(["ls", "--host-tag", "old", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["host"] for row in rows} == {"a"}


def test_csv_has_failures_on_the_standard_error(capsys, fleet):
    assert main(["ls", "--fleet", fleet, "--csv"]) == 3
    captured = capsys.readouterr()
    assert len(list(csv.DictReader(io.StringIO(captured.out)))) == 5
    assert captured.err.startswith("dead: ConnectionLost")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_formulas_are_no_formulas_in_csv(text):
    assert csv_cell(text) == f"'{text}"
    assert csv_cell(-1.5) == "-1.5"


def test_what_a_server_says_is_harmless(capsys):
    assert main(["start", "--url", "fake://x?domains=1", "\x1b[31m"]) == 4
    assert "\x1b" not in capsys.readouterr().err


def test_a_verb_without_names_is_refused(capsys):
    assert main(["power-off", "--url", FAKE, "-y"]) == 2
    assert "no domain is named" in capsys.readouterr().err


def test_without_a_terminal_nothing_is_done_unless_told_so(capsys):
    assert main(["power-off", "--url", FAKE, "web-1"]) == 5
    captured = capsys.readouterr()
    assert "web-1" in captured.err
    assert "nothing was done" in captured.err


def test_a_dry_run_tells_what_could_be_done(capsys):
    assert main(["pause", "--url", FAKE, "--name", "*", "--dry-run", "--json"]) == 3
    rows = json.loads(capsys.readouterr().out)["items"]
    assert {(row["state"], row["why_not"] is None) for row in rows} == {("running", True), ("shutoff", False)}


def test_a_verb_tells_the_state_of_each_afterwards(capsys):
    assert main(["power-off", "--url", FAKE, "--state", "running", "-y", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["items"]
    assert {row["state"] for row in rows} == {"shutoff"}


def test_what_failed_on_some_is_a_partial_answer(capsys):
    assert main(["pause", "--url", FAKE, "--name", "*", "-y"]) == 3
    captured = capsys.readouterr()
    assert "paused" in captured.out
    assert "PowerState" in captured.err


def test_a_readonly_host_is_not_changed(capsys):
    assert main(["power-off", "--url", FAKE, "--readonly", "web-1", "-y"]) == 5
    assert "PermissionDenied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], 2),
        (["ls", "--nonsense"], 2),
        (["ls"], 2),
        (["ls", "--url", FAKE, "--json", "--csv"], 2),
        (["ls", "--url", "no url"], 2),
        (["ls", "--url", FAKE, "--state", "flying"], 2),
        (["show", "--url", FAKE, "nobody"], 4),
        (["find", "--url", FAKE, "nobody"], 4),
        (["find", "--url", FAKE, "web-1"], 0),
    ],
)
def test_exit_codes_tell_how_it_went(capsys, arguments, code):
    assert main(arguments) == code
    capsys.readouterr()


def test_the_exit_codes_are_in_the_handbook():
    from hvsdk._cli.exits import Exit

    page = (DOCS / "cli.md").read_text("utf-8")
    assert set(map(int, re.findall(r"^\| (\d) \|", page, re.MULTILINE))) == set(Exit)


def test_every_command_is_in_the_handbook():
    from hvsdk._cli.app import make_app

    page = (DOCS / "cli.md").read_text("utf-8")
    names = [one.name for one in make_app().registered_commands]
    assert all(re.search(rf"`(hvsdk )?{name}\b", page) for name in names if name), names


def test_show_has_all_fields(capsys):
    assert main(["show", "--url", FAKE, "web-1"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert {"disks", "nics", "addresses", "host"} <= shown.keys()


def test_watch_ends_after_so_many_events(capsys, tmp_path):
    program = (
        "import threading, hvsdk\n"
        "from hvsdk._fleet.fleet import Fleet\n"
        "from hvsdk.__main__ import main\n"
        "begin = Fleet.watch\n"
        "def watch(self, **more):\n"
        "    found = begin(self, **more)\n"
        "    threading.Timer(0.3, lambda: self.domains(name='web-1')[0].power_off()).start()\n"
        "    return found\n"
        "Fleet.watch = watch\n"
        f"raise SystemExit(main(['watch', '--url', {FAKE!r}, '--count', '1', '--json']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["kind"] == "stopped"


def test_doctor_finds_the_step_that_fails(capsys):
    assert main(["doctor", "--url", FAKE, "--json"]) == 0
    steps = [row["step"] for row in json.loads(capsys.readouterr().out)["items"]]
    assert steps == ["backend", "login", "rights", "version", "clock"]
    assert main(["doctor", "--url", "nonsuch://x", "--json"]) == 1
    (only,) = json.loads(capsys.readouterr().out)["items"]
    assert (only["step"], only["state"]) == ("backend", "failed")


def test_doctor_warns_of_a_clock_that_is_wrong(capsys):
    assert main(["doctor", "--url", "fake://late?clock_offset=-300", "--json"]) == 0
    (clock,) = [row for row in json.loads(capsys.readouterr().out)["items"] if row["step"] == "clock"]
    assert (clock["state"], clock["message"]) == ("warning", "the host's clock is 300 s behind this machine's")


def test_where_there_is_nothing_people_are_told_so_and_scripts_get_nothing(capsys):
    assert main(["snapshot", "ls", "--url", FAKE, "db-1"]) == 0
    assert capsys.readouterr().out == "<no snapshots>\n"
    assert main(["ls", "--url", FAKE, "--name", "nobody-*", "--csv"]) == 0
    assert capsys.readouterr().out == ""


def test_snapshots_are_made_and_listed(capsys):
    assert main(["snapshot", "create", "--url", FAKE, "--snapshot", "s", "db-1", "-y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["state"] == "s"
    assert main(["snapshot", "ls", "--url", f"{FAKE}&snapshots=2", "db-1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["items"]) == 2


def test_the_command_line_imports_nothing_before_it_is_asked_for():
    program = "import hvsdk.__main__, sys; print([name for name in ('typer', 'rich', 'click') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_find_asks_the_hosts_that_are_meant_alone(capsys, fleet):
    assert main(["find", "nope", "--fleet", fleet, "--host", "a"]) == 4
    capsys.readouterr()
    assert main(["find", "web-*", "--fleet", fleet, "--host", "a", "--json"]) == 0
    assert {row["host"] for row in json.loads(capsys.readouterr().out)["items"]} == {"a"}


def test_a_tag_that_no_host_has_is_told(capsys, fleet):
    assert main(["ls", "--fleet", fleet, "--host-tag", "nobody"]) == 4
    assert "no host of the fleet has the tags nobody" in capsys.readouterr().err


def test_a_missing_fleet_file_is_told_by_its_name(capsys, tmp_path):
    assert main(["ls", "--fleet", str(tmp_path / "none.toml")]) == 2
    assert "the fleet's file" in capsys.readouterr().err


def test_a_dry_run_is_a_gate_for_scripts(capsys):
    with hvsdk.connect(FAKE) as host:  # each connection has a world of its own, and all the same
        (on, *_), (off, *_) = ([one.name for one in host.domains(state=state)] for state in ("running", "shutoff"))
    assert main(["start", "--url", FAKE, on, "--dry-run"]) == 0
    assert "is so already" in capsys.readouterr().out
    assert main(["pause", "--url", FAKE, on, off, "--dry-run"]) == 3
    assert main(["pause", "--url", FAKE, off, "--dry-run"]) == 1
