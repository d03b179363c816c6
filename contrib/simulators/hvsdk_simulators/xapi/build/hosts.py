"""The members of the pool with their metrics, processors and control domains."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

from hvsdk_simulators.xapi.build.products import product_of, software_version
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.schema import EPOCH
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.world import World

CPUS = 8
_CERTIFICATES_SINCE = (2, 15)
_INTERNAL_CERTIFICATES_SINCE = (2, 16)
_MODEL = "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz"
_FEATURES = "7ffefbff-bfebfbff-00000021-2c100800-00000000-00000000-00000000-00000000"
_FLAGS = (
    "fpu de tsc msr pae mce cx8 apic sep mca cmov pat clflush acpi mmx "
    "fxsr sse sse2 ht syscall nx lm aes avx avx2 hypervisor"
)


def host_address(number: int) -> str:
    """The invented management address of a host, counted from zero."""
    return f"198.18.{(number + 1) // 256}.{(number + 1) % 256}"


def make_host(world: World, number: int, memory: int) -> Object:
    """Make a host that is up and enabled."""
    name = f"host-{number + 1:02d}"
    api = world.options.api
    metrics = world.db.create("host_metrics", memory_total=memory, live=True, last_updated=world.now())
    host = world.db.create(
        "host",
        name_label=name,
        name_description="Default install",
        hostname=name,
        address=host_address(number),
        metrics=metrics.ref,
        enabled=True,
        memory_overhead=GIB // 2,
        API_version_major=api[0],
        API_version_minor=api[1],
        API_version_vendor="XenSource",
        software_version=software_version(api),
        other_config=_other_config(world),
        capabilities=["xen-3.0-x86_64 ", "hvm-3.0-x86_32 ", "hvm-3.0-x86_32p ", "hvm-3.0-x86_64 "],
        sched_policy="credit",
        supported_bootloaders=["pygrub", "eliloader"],
        cpu_info=cpu_info(),
        cpu_configuration={},
        edition="enterprise-per-socket" if product_of(api).brand == "XenServer" else "xcp-ng",
        editions=["free", "xcp-ng"],
        license_params=_license(world),
        license_server={"address": "localhost", "port": "27000"},
        bios_strings=_bios_strings(number),
        chipset_info={"iommu": "true"},
        virtual_hardware_platform_versions=[0, 1, 2],
        external_auth_type="AD",
        external_auth_service_name="example.com",
        iscsi_iqn=f"iqn.2024-01.example.pool:{name}",
        tls_verification_enabled=True,
        ssl_legacy=api < (2, 15),
    )
    for cpu in range(CPUS):
        _make_cpu(world, host, cpu)
    _make_certificates(world, host)
    return host


def make_control_domain(world: World, host: Object) -> Object:
    """Make the host's control domain, a VM record like others."""
    memory = 4 * GIB
    metrics = world.db.create(
        "VM_metrics",
        memory_actual=memory,
        VCPUs_number=4,
        state=["running"],
        start_time=world.now() - timedelta(days=30),
        last_updated=world.now(),
        current_domain_type="pv",
    )
    domain = world.db.create(
        "VM",
        name_label=f"Control domain on host: {host['name_label']}",
        name_description="The domain which manages physical devices and manages other domains",
        is_control_domain=True,
        power_state="Running",
        domid=0,
        domain_type="pv",
        resident_on=host.ref,
        affinity=host.ref,
        metrics=metrics.ref,
        memory_target=memory,
        memory_static_max=memory,
        memory_dynamic_max=memory,
        memory_dynamic_min=memory,
        memory_static_min=memory,
        VCPUs_max=4,
        VCPUs_at_startup=4,
        actions_after_shutdown="destroy",
        actions_after_reboot="destroy",
        actions_after_crash="destroy",
        other_config={"storage_driver_domain": NULL, "is_system_domain": "true"},
    )
    world.db.update(host, control_domain=domain.ref)
    console = world.db.create("console", VM=domain.ref, protocol="rfb")
    world.db.update(console, location=f"https://{host['address']}/console?uuid={console['uuid']}")
    return domain


def cpu_info() -> dict[str, str]:
    """The summary of a host's processors, the same for each host and so for the pool."""
    return {
        "cpu_count": str(CPUS),
        "socket_count": "1",
        "threads_per_core": "1",
        "vendor": "GenuineIntel",
        "speed": "2394.368",
        "modelname": _MODEL,
        "family": "6",
        "model": "106",
        "stepping": "6",
        "flags": _FLAGS,
        "features": _FEATURES,
        "features_pv": _FEATURES,
        "features_hvm": _FEATURES,
        "features_pv_host": _FEATURES,
        "features_hvm_host": _FEATURES,
    }


def _make_certificates(world: World, host: Object) -> None:
    """Make a record of what the host shows to clients, and in newer releases of what it shows to other hosts."""
    if world.options.api >= _CERTIFICATES_SINCE:
        world.db.create("Certificate", host=host.ref, type="host")
    if world.options.api >= _INTERNAL_CERTIFICATES_SINCE:
        digest = sha256(host["uuid"].encode()).hexdigest().upper()
        world.db.create(
            "Certificate",
            host=host.ref,
            type="host_internal",
            not_before=world.now() - timedelta(days=30),
            not_after=world.now() + timedelta(days=3620),
            fingerprint=":".join(digest[at : at + 2] for at in range(0, len(digest), 2)),
        )


def _make_cpu(world: World, host: Object, number: int) -> None:
    world.db.create(
        "host_cpu",
        host=host.ref,
        number=number,
        vendor="GenuineIntel",
        speed=2394,
        modelname=_MODEL,
        family=6,
        model=106,
        stepping="6",
        flags=_FLAGS,
        features=_FEATURES,
        utilisation=0.0,
    )


def _other_config(world: World) -> dict[str, str]:
    booted = int(world.now().timestamp()) - 30 * 86400
    return {
        "agent_start_time": f"{booted + 60}.",
        "boot_time": f"{booted}.",
        "iscsi_iqn": "iqn.2024-01.example.pool:host",
        "multipathing": "false",
    }


def _license(world: World) -> dict[str, str]:
    def stamp(moment: Any) -> str:
        return str(moment.strftime("%Y%m%dT%H:%M:%SZ"))

    return {
        "sku_type": "free",
        "version": "",
        "productcode": "",
        "serialnumber": "",
        "sockets": "1",
        "expiry": stamp(world.now() + timedelta(days=3650)),
        "grace": "no",
        "name": "",
        "company": "",
        "address1": "",
        "earlyrelease": stamp(EPOCH),
        "restrict_vswitch_controller": "false",
        "restrict_cbt": "false",
        "restrict_nbd": "false",
        "restrict_checkpoint": "false",
        "restrict_pool_size": "false",
    }


def _bios_strings(number: int) -> dict[str, str]:
    return {
        "bios-vendor": "Example BIOS",
        "bios-version": "2.14.1",
        "system-manufacturer": "Example Systems",
        "system-product-name": "Server R650",
        "system-version": "",
        "system-serial-number": f"SN{number + 1:06d}",
        "hp-rombios": "",
        "oem-1": "Xen",
        "oem-2": "MS_VM_CERT/SHA1/bdbeb6e0a816d43fa6d3fe8aaef04c2bad9d3e3d",
    }
