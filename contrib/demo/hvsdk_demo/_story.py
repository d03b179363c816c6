"""The demonstration itself, through hvsdk alone; the testbed only makes the guests' disks and reads what they write."""

from __future__ import annotations

from pathlib import Path

from hvsdk_testbed.bootsector import make_sector, ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.screenshot import read_screenshot

import hvsdk
from hvsdk_demo._bench import Workbench
from hvsdk_demo._talk import heading, say, typed

LABELS = ("shop-web", "shop-db")


def tell(bench: Workbench, output: Path) -> None:
    """Go through all of it; `output` gets the screenshot."""
    heading("Two guests, each booting from a volume of its own")
    web, db = (make_guest(bench, label) for label in LABELS)
    web_line, db_line = (Console(bench.logs / f"{label}.log") for label in LABELS)
    with web_line, db_line:
        boot((web, web_line), (db, db_line))
        show_table(bench)
        take_screenshot(web, output / f"{LABELS[0]}.png")
        snapshot_and_revert(web, web_line)
        hot_plug(web)
        shut_down(db, db_line)
    same_elsewhere(bench.xen, "Xen")
    same_elsewhere(bench.hyperv, "Hyper-V")
    if bench.vmware is not None:
        same_elsewhere(bench.vmware, "VMware")
    show_fleet(bench)


def make_guest(bench: Workbench, label: str) -> hvsdk.Domain:
    """Make a volume, write the boot sector into it, and make a domain that boots from it."""
    typed(f'volume = pool.create_volume(name="{label}.qcow2", size="8MiB")')
    volume = bench.kvm.storage_pools()[0].create_volume(name=f"{label}.qcow2", size="8MiB")
    typed("with volume.open_writer() as writer: writer.write(0, sector)")
    with volume.open_writer() as writer:
        writer.write(0, make_sector(label))
    spec = hvsdk.DomainSpec(
        name=label,
        memory="32MiB",
        disks=[hvsdk.DiskSpec(source=volume.path, bus="scsi")],
        tags=["demo"],
        hints={
            "kvm.serial_file": str(bench.logs / f"{label}.log"),
            "kvm.graphics": "vnc",
            "kvm.video": "vga",
            "kvm.agent": False,
        },
    )
    typed(f'host.create_domain(hvsdk.DomainSpec(name="{label}", memory="32MiB", disks=[…]))')
    domain = bench.kvm.create_domain(spec)
    say(repr(domain))
    return domain


def boot(*guests: tuple[hvsdk.Domain, Console]) -> None:
    """Start the guests, and wait until each has said its own name."""
    heading("Both boot; each says on its serial line which disk it came from")
    for domain, _ in guests:
        typed(f'host.domain("{domain.name}").start()')
        domain.start()
    for domain, console in guests:
        say(console.wait(up_line(domain.name), timeout=60)[0])
    domain, console = guests[0]
    say(f"{domain.name}: {domain.console()!r}")
    console.wait(f"{domain.name} tick ", timeout=30)


def show_table(bench: Workbench) -> None:
    """List all hosts in one table."""
    others = {"a pool of Xen hosts": ("xen", bench.xen), "a Hyper-V host": ("hyperv", bench.hyperv)}
    if bench.vmware is not None:
        others["a vCenter"] = ("vmware", bench.vmware)
    *most, last = others
    heading(f"One table: real guests, and those of {', '.join(most)} and {last}")
    typed(" + ".join(["kvm.domains()", *(f"{name}.domains()" for name, _ in others.values())]))
    found = bench.kvm.domains()
    for _, host in others.values():
        found += host.domains()
    say(found)


def show_fleet(bench: Workbench) -> None:
    """Ask all hosts as one fleet, with one among them that nobody can reach."""
    hosts: dict[str, hvsdk.Host | dict[str, str]] = {"kvm": bench.kvm, "xen": bench.xen, "hyperv": bench.hyperv}
    if bench.vmware is not None:
        hosts["vmware"] = bench.vmware
    hosts["gone"] = {"url": "xenapi://root@127.0.0.1:1", "password": "any"}
    heading("All of them as one fleet; a host that is down is told, and holds up nobody")
    typed("fleet = hvsdk.Fleet({…}); fleet.domains()")
    with hvsdk.Fleet(hosts) as fleet:
        say(fleet.domains())
        typed('fleet.run(lambda host: host.info().product, hosts=["xen", "hyperv"])')
        products = fleet.run(lambda host: host.info().product, hosts=["xen", "hyperv"])
        say(", ".join(f"{one.host}: {one.value}" for one in products))


def take_screenshot(domain: hvsdk.Domain, path: Path) -> None:
    """Save the guest's screen, and check that something is on it."""
    heading("What its screen shows")
    typed(f'pathlib.Path("{path.name}").write_bytes(web.screenshot())')
    picture = domain.screenshot()
    path.write_bytes(picture)
    screen = read_screenshot(picture)
    written = "its first line of text is there" if not screen.is_black(0, 16) else "it is black"
    say(f"{path}: {screen.width} x {screen.height} pixels, {written}")


def snapshot_and_revert(domain: hvsdk.Domain, console: Console) -> None:
    """Take memory with the snapshot: after the revert the guest goes on counting where it was then."""
    heading("A snapshot with memory, and back")
    typed('snap = web.create_snapshot("before-upgrade", memory=True)')
    snapshot = domain.create_snapshot("before-upgrade", memory=True)
    at = ticks(console.text, domain.name)[-1]
    console.wait(f"{domain.name} tick {at + 2}", timeout=30)
    later = ticks(console.text, domain.name)[-1]
    console.mark()
    typed("snap.revert()")
    snapshot.revert()
    console.wait(f"{domain.name} tick ", timeout=30)
    say(f"it had counted to {at} at the snapshot and to {later} before the revert; it went on with "
        f"{ticks(console.text, domain.name)[-1]}")  # fmt: skip
    typed("snap.delete()")
    snapshot.delete()


def hot_plug(domain: hvsdk.Domain) -> None:
    """Give a running guest a disk, and take it away again."""
    heading("A disk comes and goes while it runs")
    typed('disk = web.attach_disk(hvsdk.DiskSpec(size="16MiB", bus="scsi"))')
    disk = domain.attach_disk(hvsdk.DiskSpec(size="16MiB", bus="scsi"))
    say(f"disks: {[d.id for d in domain.disks]}")
    typed("web.detach_disk(disk)")
    domain.detach_disk(disk)
    say(f"disks: {[d.id for d in domain.disks]}")


def shut_down(domain: hvsdk.Domain, console: Console) -> None:
    """Ask the guest to switch off; it does so by itself."""
    heading("A graceful shutdown")
    typed(f'host.domain("{domain.name}").shutdown(timeout=60)')
    domain.shutdown(timeout=60)
    say(f"{console.wait(f'{domain.name} off', timeout=10)[0]}: the guest said so itself, and is {domain.power_state}")


def same_elsewhere(host: hvsdk.Host, product: str) -> None:
    """Drive a domain of a simulated product with the same verbs."""
    heading(f"The same verbs on {product}")
    domain = next(one for one in host.domains(state="running", include=("guest",)) if one.agent == "running")
    typed('snap = domain.create_snapshot("before-upgrade", memory=True)')
    snapshot = domain.create_snapshot("before-upgrade", memory=True)
    typed("domain.shutdown(timeout=60)")
    domain.shutdown(timeout=60)
    say(f"{domain.name} on {domain.host!r} is {domain.power_state}")
    typed("snap.revert(); snap.delete()")
    snapshot.revert()
    snapshot.delete()
    say(f"{domain.name} is {domain.refresh().power_state} again")
