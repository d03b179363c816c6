"""Listing domains of libvirt's test driver: over a daemon's socket, and in the process."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import libvirt
from hvsdk_testbed.libvirtd import PrivateLibvirtd

import hvsdk
from hvsdk_bench import _raw
from hvsdk_bench._inventory import write_node
from hvsdk_bench._measure import Row, compare

RAW_SUMMARY = "raw getAllDomainStats, name, UUID"


def rows(runs: int, *, over_socket: int, in_process: int) -> Iterator[Row]:
    """Measure summaries and full listings."""
    with tempfile.TemporaryDirectory(prefix="hvsdk-bench-", dir="/tmp") as work:
        if os.geteuid() == 0:
            with PrivateLibvirtd() as daemon:
                uri = write_node(Path(work, "socket.xml"), over_socket)
                uri = f"{uri.replace('test:', 'test+unix:', 1)}?socket={daemon.socket_path}"
                where = f"libvirt over a socket, {over_socket:,} domains"
                yield from _summaries(uri, where, runs)
                yield from _full(uri, where, runs)
                yield from _libcloud(uri, where, runs)
        else:
            print("left out: listings over a socket, which need a private libvirtd and so root", file=sys.stderr)
        uri = write_node(Path(work, "process.xml"), in_process)
        where = f"libvirt's test driver in the process, {in_process:,} domains"
        with hvsdk.connect(uri) as host, _raw_connection(uri) as raw:
            yield compare(
                f"{where}: summary / {RAW_SUMMARY}", host.domains, lambda: _raw.summary(raw), target=1.7, runs=runs
            )


def _summaries(uri: str, where: str, runs: int) -> Iterator[Row]:
    with hvsdk.connect(uri) as host, _raw_connection(uri) as raw:
        yield compare(
            f"{where}: summary / {RAW_SUMMARY}", host.domains, lambda: _raw.summary(raw), target=1.4, runs=runs
        )
        one_by_one = f"{where}: summary / raw loop over info()"
        yield compare(one_by_one, host.domains, lambda: _raw.summary_one_by_one(raw), target=0.25, runs=runs)


def _full(uri: str, where: str, runs: int) -> Iterator[Row]:
    """Measure listings with XML on fresh connections: a second one would find the XML remembered."""
    hosts: list[hvsdk.Host] = []

    def before() -> None:
        while hosts:
            hosts.pop().close()
        hosts.append(hvsdk.connect(uri))
        hosts[0].info()  # connected

    with _raw_connection(uri) as raw:
        yield compare(
            f"{where}: config, nothing remembered / raw info(), XMLDesc(), ElementTree",
            lambda: hosts[0].domains(include=("config",)),
            lambda: _raw.config(raw),
            target=1.2,
            runs=runs,
            before=before,
        )
        yield compare(
            f"{where}: full, nothing remembered / the same and interfaceAddresses()",
            lambda: hosts[0].domains(full=True),
            lambda: _raw.full(raw),
            target=1.2,
            runs=runs,
            before=before,
        )
    hosts.pop().close()


def _libcloud(uri: str, where: str, runs: int) -> Iterator[Row]:
    with hvsdk.connect(uri) as host:
        for arp, target in ((False, 8.0), (True, 50.0)):
            peer = _raw.libcloud(uri, arp=arp)
            name = f"{where}: Libcloud's list_nodes(){'' if arp else ' without its ARP look-up'} / summary"
            some = min(runs, 3) if arp else runs  # it starts a process for each domain
            yield compare(name, host.domains, peer.list_nodes, target=target, runs=some, better="higher")
            peer.connection.close()


@contextlib.contextmanager
def _raw_connection(uri: str) -> Iterator[libvirt.virConnect]:
    connection = libvirt.open(uri)
    try:
        yield connection
    finally:
        connection.close()
