from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

import hvsdk
import hvsdk.driver
import hvsdk.models


def shown(module):
    """Return the names a user sees: all but private ones and modules that are no public name."""
    names = {name for name in dir(module) if not name.startswith("_")}
    return {name for name in names if name in module.__all__ or not isinstance(getattr(module, name), ModuleType)}


def test_all_names_what_the_package_shows():
    assert shown(hvsdk) == set(hvsdk.__all__)
    assert hvsdk.__all__ == sorted(hvsdk.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_every_public_name_is_there():
    for name in hvsdk.__all__:
        assert getattr(hvsdk, name) is not None


def test_all_records_are_public():
    assert set(hvsdk.models.__all__) - {"FIELD_GROUPS", "FrozenDict"} <= set(hvsdk.__all__)


def test_type_checkers_see_the_names_that_load_lazily():
    tree = ast.parse(inspect.getsource(hvsdk))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(hvsdk.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'hvsdk' has no attribute 'conect'"):
        hvsdk.conect  # noqa: B018


def test_names_are_the_same_object_each_time():
    assert hvsdk.PowerState is hvsdk.PowerState is hvsdk.driver.PowerState
    assert hvsdk.errors is hvsdk.driver.errors


def test_star_import_brings_exactly_all():
    names: dict[str, object] = {}
    exec("from hvsdk import *", names)
    assert names.keys() - {"__builtins__"} == set(hvsdk.__all__)


def test_every_public_class_and_function_has_a_docstring():
    for name in hvsdk.__all__:
        value = getattr(hvsdk, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
