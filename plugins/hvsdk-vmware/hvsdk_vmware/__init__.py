"""The backend for vCenter and ESXi: imports no pyvmomi before a connection is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hvsdk.driver import Backend, Option, hookimpl

if TYPE_CHECKING:
    from hvsdk import Domain

__all__ = ["OPTIONS", "answer", "hvsdk_backends"]

OPTIONS = {
    "detach_other_tags": Option(
        help="whether set_tags() also takes away vCenter's tags of other categories than hvsdk's",
        type=bool,
        default=False,
    ),
    "disk_io": Option(
        help="how disks are read: from an export lease, from their files, or as suits each",
        default="auto",
        choices=("auto", "lease", "datastore"),
    ),
    "keep_alive": Option(
        help="seconds after which an idle session is kept from expiring; 0: never", type=float, default=600.0
    ),
    "page_size": Option(help="how many domains one answer of a listing may hold", type=int, default=1000),
}
"""Options of the backend."""


@hookimpl
def hvsdk_backends() -> Iterable[Backend]:
    """Bring the backend `vmware`."""
    return [
        Backend(
            name="vmware",
            schemes=("vmware", "vsphere", "esxi", "vmware+http"),
            driver="hvsdk_vmware._driver:VmwareDriver",
            summary="vCenter and ESXi through the vSphere API",
            options=OPTIONS,
            tls_schemes=("vmware", "vsphere", "esxi"),
            loopback_only=("vmware+http",),
            default_ports={"vmware": 443, "vsphere": 443, "esxi": 443, "vmware+http": 80},
        )
    ]


def answer(domain: Domain, choice: str, *, timeout: float = 20.0) -> None:
    """Answer the question that a domain waits with; whatever waited for it goes on.

    `domain.details["vmware.question"]` has its text and the choices. Nothing is ever answered unasked: which answer is right
    depends on what was done to the domain. Hooks are told of it as `native`, and a host that is read-only refuses it.

    Args:
        domain: A domain of a vCenter or an ESXi host.
        choice: A key of the choices, such as `"button.uuid.copiedTheVM"`, or its label.
        timeout: Seconds in which the question is to be gone.

    Raises:
        NotFoundError: It asks nothing, or somebody else was faster.
        InvalidSpecError: The question has no such choice.
        OutcomeUnknownError: The connection broke while it was answered.
        OperationTimeoutError: The question was still there when the time ran out.
    """
    from hvsdk_vmware._questions import answer_question

    answer_question(domain, choice, timeout)
