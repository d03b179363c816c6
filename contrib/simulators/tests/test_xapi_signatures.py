"""Messages have the parameters, results, roles and life of the real product's data model."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from hvsdk_simulators.xapi.dispatch import Dispatcher
from hvsdk_simulators.xapi.messages import MESSAGES, Message
from hvsdk_simulators.xapi.roles import allowed
from hvsdk_simulators.xapi.schema import FIRST, SCHEMA, Api
from hvsdk_simulators.xapi.world import Options, World
from xapi_reference import api_of, is_there, model_messages, since

APIS: tuple[Api, ...] = ((1, 9), (2, 0), (2, 15), (2, 23))
_HIDDEN = ("VM.set_is_default_template", "get_all_records_where")
"""Messages that the product has and its published model keeps to itself: a name, and the end of many."""


@cache
def _messages(api: Api) -> dict[str, Message]:
    return Dispatcher(World(Options(api=api))).messages


def _theirs(name: str) -> tuple[list[Any], bool]:
    """The parameters of the model without the session, and whether there is one."""
    params = model_messages()[name]["params"]
    session = bool(params) and params[0]["name"] == "session_id"
    return params[session:], session


@pytest.mark.parametrize("api", APIS)
def test_every_message_is_one_of_the_model(api: Api) -> None:
    assert [name for name in _messages(api).keys() - model_messages().keys() if not name.endswith(_HIDDEN)] == []


@pytest.mark.parametrize("api", APIS)
def test_parameters_and_results_are_those_of_the_model(api: Api) -> None:
    wrong = []
    for name, one in _messages(api).items():
        if name.endswith(_HIDDEN):
            continue
        theirs, session = _theirs(name)
        wanted = [(param["type"], param["name"], param["required"]) for param in theirs]
        have = [(param.type, param.name, param.required) for param in one.params]
        result = model_messages()[name]["result"][0]
        if (wanted, session, result) != (have, one.session, one.result_type):
            wrong.append(f"{name}{have} -> {one.result_type}, in the model {wanted} -> {result}")
    assert wrong == []


@pytest.mark.parametrize("api", APIS)
def test_messages_ask_for_the_roles_of_the_model(api: Api) -> None:
    wrong = []
    for name, one in _messages(api).items():
        wanted = model_messages().get(name, {}).get("roles")
        if not wanted or not one.session:
            continue
        have = set(allowed(one.role))
        # Who has a certificate of a client is no user, and may read what everybody may.
        if have != set(wanted) - ({"client-cert"} - have):
            wrong.append(f"{name} asks for {one.role}, in the model {wanted}")
    assert wrong == []


@pytest.mark.parametrize("api", APIS)
def test_no_message_is_older_or_younger_than_in_the_model(api: Api) -> None:
    there = {name: is_there(one["lifecycle"], api) for name, one in model_messages().items()}
    early = [name for name in _messages(api) if there.get(name) is False and not _answers_removed(name)]
    assert early == []


def test_messages_came_with_the_releases_of_the_model() -> None:
    wrong = []
    for name, one in MESSAGES.items():
        first = since(model_messages()[name]["lifecycle"]) if not name.endswith(_HIDDEN) else None
        theirs = api_of(first) if first is not None else None
        if theirs is not None and max(theirs, FIRST) != max(one.since, FIRST):
            wrong.append(f"{name} since {one.since}, {theirs} in the model")
    assert wrong == []


@pytest.mark.parametrize("api", APIS)
def test_what_is_missing_is_known(api: Api) -> None:
    missing: dict[str, set[str]] = defaultdict(set)
    for name, one in model_messages().items():
        cls, _, short = name.partition(".")
        known = cls in SCHEMA and SCHEMA[cls].exists_at(api)
        if known and is_there(one["lifecycle"], api) and name not in _messages(api):
            missing[cls].add(short)
    unknown = {cls: sorted(names - set(NOT_MADE.get(cls, "").split())) for cls, names in missing.items()}
    assert {cls: names for cls, names in unknown.items() if names} == {}


def _answers_removed(name: str) -> bool:
    """Whether it is still known, and says that it is gone."""
    return name.startswith("VMPP.") or name in {"VM.set_protection_policy"}


NOT_MADE: dict[str, str] = {
    "DR_task": "create destroy",
    "LVHD": "enable_thin_provisioning",
    "PVS_proxy": "create destroy",
    "PVS_server": "forget introduce",
    "PVS_site": "forget introduce set_PVS_uuid",
    "Repository": "forget introduce",
    "host": "apply_updates bugreport_upload disable_external_auth emergency_disable_tls_verification "
    "emergency_ha_disable emergency_reenable_tls_verification emergency_reset_server_certificate "
    "enable_external_auth external_auth_set_ldaps license_add license_apply license_remove local_management_reconfigure "
    "management_disable reset_cpu_features set_cpu_features set_uefi_certificates shutdown_agent",
    "host_crashdump": "upload",
    "host_patch": "apply destroy",
    "pool": "add_repository certificate_install certificate_uninstall check_update_readiness "
    "configure_repository_proxy crl_install crl_uninstall detect_nonhomogeneous_external_auth "
    "disable_client_certificate_auth disable_external_auth disable_redo_log disable_repository_proxy "
    "disable_ssl_legacy enable_client_certificate_auth enable_external_auth enable_redo_log "
    "external_auth_set_ldaps ha_compute_vm_failover_plan initialize_wlb install_ca_certificate join join_force "
    "remove_repository send_test_post send_wlb_configuration set_repositories set_uefi_certificates "
    "set_vswitch_controller sync_updates test_archive_target uninstall_ca_certificate",
    "pool_patch": "apply clean clean_on_host destroy pool_apply pool_clean precheck",
    "pool_update": "apply destroy introduce pool_apply pool_clean precheck",
    "session": "create_from_db_file",
}
"""What the product has and the simulator does not, by class: the upkeep of hosts, of which no client of VMs asks."""
