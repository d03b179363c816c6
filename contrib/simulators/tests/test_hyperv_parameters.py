"""Parameters of cmdlets in our own code, held to those of the real module: they exist, and go together."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvsdk_simulators.hyperv as package
import pytest
from hvsdk_simulators.hyperv.stub.others import OTHERS
from xapi_reference import reference

HERE = Path(package.__file__).parent
Given = tuple[str, frozenset[str], bool]
"""A cmdlet, the names of parameters that it is given, and whether there may be more."""


def parameters() -> dict[str, set[str]]:
    """Return the names of the parameters of each cmdlet."""
    model = reference("hyperv-model.json.gz")["cmdlets"]
    found = {name: {one["name"] for one in cmdlet["parameters"]} for name, cmdlet in model.items()}
    return found | {name: set(re.findall(r"\] \$(\w+)", text)) for name, text in OTHERS.items()}


def trees(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((HERE / folder).glob("*.py")):
        yield path, ast.parse(path.read_text())


# ---- what cmdlets read -----------------------------------------------------------------------------------


class Reader:
    """A function of the simulator that is handed the parameters of a cmdlet."""

    def __init__(self, module: str, function: ast.FunctionDef) -> None:
        self.module = module
        self.name = function.name
        names = {one.arg for one in function.args.args if one.annotation and ast.unparse(one.annotation) == "Bound"}
        self.cmdlets = [
            str(ast.literal_eval(one.args[0]))
            for one in function.decorator_list
            if isinstance(one, ast.Call) and ast.unparse(one.func) == "cmdlet"
        ]
        self.read: set[str] = set()
        self.calls: set[str] = set()
        for node in ast.walk(function):
            self._look(node, names)

    def _look(self, node: ast.AST, names: set[str]) -> None:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[ast.Constant(value=str(key)), *_]):
                self.read |= {key} if name in names else set()
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))):
                self.read |= {key} if name in names else set()
            case ast.Compare(left=ast.Constant(value=str(key)), comparators=[ast.Name(id=name)]):
                self.read |= {key} if name in names else set()
            case ast.Call(func=ast.Name(id=called), args=arguments):
                handed = {one.id for one in arguments if isinstance(one, ast.Name)}
                self.calls |= {called} if handed & names else set()
            case _:
                pass


def readers() -> list[Reader]:
    found = [
        Reader(path.stem, node)
        for path, tree in trees("cmdlets")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]
    return [one for one in found if one.read or one.calls or one.cmdlets]


def test_what_a_cmdlet_reads_is_a_parameter_of_the_real_one() -> None:
    known, found = parameters(), readers()
    assert sum(len(one.cmdlets) for one in found) > 90
    assert {"VM", "Notes", "Path"} <= set[str]().union(*(one.read for one in found))
    for reader in found:
        for cmdlet in reader.cmdlets:
            assert reader.read <= known[cmdlet], (cmdlet, reader.read - known[cmdlet])


def test_what_cmdlets_read_together_is_a_parameter_of_one_of_them() -> None:
    known, found = parameters(), readers()
    by_name: dict[str, list[Reader]] = defaultdict(list)
    for reader in found:
        by_name[reader.name].append(reader)
    users: dict[Reader, set[str]] = defaultdict(set)
    for reader in found:
        waiting, seen = [reader], set()
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            users[at] |= set(reader.cmdlets)
            for name in at.calls:
                waiting += [one for one in by_name[name] if one.module == at.module] or by_name[name]
    for reader, cmdlets in users.items():
        if cmdlets:
            possible = set[str]().union(*(known[one] for one in cmdlets))
            assert reader.read <= possible, (reader.module, reader.name, reader.read - possible)


# ---- what twins give --------------------------------------------------------------------------------------


def given() -> Iterator[tuple[str, Given]]:
    """Yield the uses of cmdlets, with the place where each one stands."""
    for folder in ("twins", "cmdlets"):
        for path, tree in trees(folder):
            for node in ast.walk(tree):
                use = _use(node)
                if use is not None:
                    yield f"{folder}/{path.name}:{getattr(node, 'lineno', 0)}", use


def _use(node: ast.AST) -> Given | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="run" | "one"), args=[ast.Constant(value=str(name))], keywords=words):
            return name, frozenset(one.arg for one in words if one.arg), any(one.arg is None for one in words)
        case ast.Call(func=ast.Name(id="run"), args=[_, ast.Constant(value=str(name)), ast.Dict(keys=keys)]):
            told = frozenset(one.value for one in keys if isinstance(one, ast.Constant) and isinstance(one.value, str))
            return name, told, None in keys
    return None


def test_cmdlets_are_used_with_parameters_that_go_together() -> None:
    model, known = reference("hyperv-model.json.gz")["cmdlets"], parameters()
    uses = list(given())
    assert len(uses) > 100
    for place, (name, told, more) in uses:
        assert name in known, (place, name)
        if name in OTHERS:
            assert told <= known[name], (place, name, told - known[name])
            continue
        common = {"Confirm", "WhatIf"} if model[name]["should_process"] else set()
        assert _fits(model[name]["parameters"], told - common, more), (place, name, sorted(told))


def _fits(all_of_them: list[dict[str, Any]], told: frozenset[str], more: bool) -> bool:
    """Whether these parameters are all in one set, with those that it must have."""
    sets = {place["set"] for one in all_of_them for place in one["sets"]} - {"*"} or {"*"}
    for set_ in sets:
        there = {one["name"] for one in all_of_them if not one["sets"] or _place(one, set_)}
        wanted = {one["name"] for one in all_of_them if (_place(one, set_) or {}).get("mandatory")}
        if told <= there and (more or wanted <= told):
            return True
    return False


def _place(parameter: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((one for one in parameter["sets"] if one["set"] in (name, "*")), None)


@pytest.mark.parametrize(
    ("told", "fits"),
    [
        ({"VM", "Notes"}, True),
        ({"Name", "Notes"}, True),
        ({"VM", "Name"}, False),
        ({"Notes"}, False),
        ({"VM", "NoSuch"}, False),
    ],
)
def test_this_look_finds_what_does_not_go_together(told: set[str], fits: bool) -> None:
    assert _fits(reference("hyperv-model.json.gz")["cmdlets"]["Set-VM"]["parameters"], frozenset(told), False) == fits
