"""The scripts: constant files, in the syntax of Windows PowerShell 5.1, none of them built from input."""

from __future__ import annotations

import ast
import base64
import re
import subprocess
from pathlib import Path

import pytest
from hvsdk_simulators.hyperv.twins import registry as twins
from hyperv_support import powershell

import hvsdk_hyperv
from hvsdk_hyperv import _scripts

PACKAGE = Path(hvsdk_hyperv.__file__).parent
FILES = sorted((PACKAGE / "scripts").glob("*.ps1"))
OF_THE_SERVER = {"job.poll", "job.cancel"}
COMMAND_LINE_LIMIT = 8191
SENDERS = ("send_command_input", "run_command", "send_message", "open_shell")
MAKES_CODE = r"Invoke-Expression|\biex\b|Add-Type|InvokeScript|ExpandString"


def test_every_script_passes_the_parser_of_5_1() -> None:
    done = subprocess.run(
        [powershell(), "-CheckSyntax", *FILES], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_all_scripts_together_pass_the_parser_too(tmp_path: Path) -> None:
    whole = tmp_path / "whole.ps1"
    whole.write_text("\n".join(_scripts.source(name) for name in _scripts.names()))
    done = subprocess.run(
        [powershell(), "-CheckSyntax", whole], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_scripts_are_ascii() -> None:
    """The first line of standard input is bytes of ASCII, but people open the files in editors that guess."""
    assert [path.name for path in FILES if not path.read_bytes().isascii()] == []


def test_standard_input_is_named_by_no_script() -> None:
    """A command that names the automatic variable is fed by the console host, which then reads what is the server's."""
    text = "\n".join(path.read_text() for path in FILES)
    assert re.search(r"\$input\b", text, re.IGNORECASE) is None


def test_operations_are_named_after_their_files() -> None:
    for path in FILES:
        for name in _operations(path):
            assert name.partition(".")[0] == path.stem, f"{name} in {path.name}"


def test_every_operation_has_its_twin_in_the_simulator() -> None:
    twins.load()
    ours = {name for path in FILES for name in _operations(path)}
    assert ours - OF_THE_SERVER == set(twins.OPERATIONS)


def _operations(path: Path) -> list[str]:
    return re.findall(r"^\$Operations\['([^']+)'\]", path.read_text(), re.MULTILINE)


def test_every_operation_that_the_driver_asks_for_is_there() -> None:
    ours = {name for path in FILES for name in _operations(path)} | OF_THE_SERVER
    asked = {
        node.args[at].value
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        for at in [{"call": 0, "begin": 0, "ask_after": 1}.get(node.func.attr, -1)]
        if at >= 0 and len(node.args) > at and isinstance(node.args[at], ast.Constant)
    }
    assert {name for name in asked if "." in str(name)} - ours == set()


def test_the_command_line_is_short_constant_and_holds_no_secret() -> None:
    program, arguments = _scripts.command_line()
    assert len(" ".join([program, *arguments])) < COMMAND_LINE_LIMIT / 4
    text = base64.b64decode(arguments[-1]).decode("utf-16-le")
    assert text.strip() == _scripts.source("bootstrap.ps1").strip()


def test_no_text_of_a_script_is_built_from_input() -> None:
    """What reaches PowerShell's parser is read from constant files; all else travels as JSON."""
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.BinOp):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        assert not _looks_like_powershell(part.value), part.value


def test_only_two_functions_send_anything_to_the_host() -> None:
    senders: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in SENDERS:
                senders.setdefault(path.name, set()).add(node.attr)
    assert senders == {"_shell.py": {"send_command_input", "run_command", "open_shell"}}
    shell = (PACKAGE / "_shell.py").read_text()
    assert "command_line()" in shell
    assert "scripts_line()" in shell
    sent = re.findall(r"\bencode\(|\bexchange\(", (PACKAGE / "_session.py").read_text())
    assert sent.count("encode(") == 1


def test_arguments_of_scripts_are_run_nowhere() -> None:
    """No script makes code of a text, but for the two places that read the scripts themselves."""
    for path in FILES:
        text = path.read_text()
        assert re.search(MAKES_CODE, text, re.IGNORECASE) is None, path.name
        made = len(re.findall(r"\[ScriptBlock\]::Create\(", text, re.IGNORECASE))
        assert made == {"bootstrap.ps1": 1, "server.ps1": 1}.get(path.name, 0), path.name
        assert len(re.findall(r"AddScript\(", text)) == (1 if path.name == "server.ps1" else 0), path.name


def _looks_like_powershell(text: str) -> bool:
    return re.search(r"\$\w+|\b(Get|Set|New|Start|Stop|Invoke|Remove)-[A-Z]\w+ |powershell", text) is not None


def _trees() -> list[ast.AST]:
    return [ast.parse(path.read_text()) for path in sorted(PACKAGE.glob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_virtual_machines_are_never_found_by_name(path: Path) -> None:
    """Names repeat, and `-Name` and `-VMName` take wildcards."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert re.search(r"-VMName\b", text) is None
    assert re.search(r"(Get|Start|Stop|Save|Suspend|Resume|Remove|Set|Checkpoint)-VM\b[^|;\n]* -Name\b", text) is None
