"""The messages of VMs as the product's own data model has them."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.xapi.messages import MESSAGES, Message

REFERENCE = Path(os.environ.get("HVSDK_REFERENCE", Path(__file__).parents[4] / "shared" / "reference"))
CLASSES = ("VM", "VM_metrics", "VM_guest_metrics", "VM_appliance", "VMPP", "VMSS", "crashdump")
NOT_HERE = {"VM.set_groups", "VM.import"}
"""Groups of VMs came after the versions that are played; imports have tests of their own."""


@pytest.fixture(scope="module")
def model() -> dict[str, dict[str, Any]]:
    path = REFERENCE / "xenapi.json.gz"
    if not path.exists():
        pytest.skip(f"no data model at {path}: set HVSDK_REFERENCE to the folder that has it")
    with gzip.open(path) as file:
        return {one["name"]: one for one in json.load(file)}


def written(message: Message) -> list[tuple[str, str, bool]]:
    return [(param.type, param.name, param.required) for param in message.params]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_message_takes_and_returns_what_the_model_says(model: dict[str, dict[str, Any]], cls: str) -> None:
    own = {f"{cls}.{one['name']}": one for one in model[cls]["messages"] if not one["implicit"]}
    for name in own.keys() - NOT_HERE:
        message, said = MESSAGES[name], own[name]
        params = [one for one in said["params"] if one["name"] != "session_id"]
        assert written(message) == [(one["type"], one["name"], one.get("required", True)) for one in params], name
        assert message.result_type == (said["result"] or ["void"])[0], name
        assert not said["roles"] or message.role in said["roles"], name


def test_no_message_is_made_up(model: dict[str, dict[str, Any]]) -> None:
    known = {f"{cls}.{one['name']}" for cls in CLASSES for one in model[cls]["messages"]}
    assert {name for name in MESSAGES if name.split(".")[0] in CLASSES} <= known


def test_the_least_role_of_each_message_is_the_models(model: dict[str, dict[str, Any]]) -> None:
    ranks = ["pool-admin", "pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only"]
    for cls in CLASSES:
        for said in model[cls]["messages"]:
            message = MESSAGES.get(f"{cls}.{said['name']}")
            allowed = [role for role in said["roles"] if role in ranks]
            if message is not None and not said["implicit"] and allowed:
                assert message.role == max(allowed, key=ranks.index), message.full_name
