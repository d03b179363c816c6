"""Consoles and screenshots."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import hvsdk
import pytest
from hvsdk import errors
from hvsdk.driver import Console
from hvsdk_testbed import console as serial_console
from hvsdk_testbed.bootsector import make_disk, up_line
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.screenshot import read_screenshot
from kvm_support import soon

from hvsdk_kvm._console import console_of
from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._screenshot import png_of
from hvsdk_kvm._xml import parse_xml


def console(devices: str, hostname: str | None = None) -> Console | None:
    return console_of(parse_xml(f"<domain><devices>{devices}</devices></domain>"), hostname)


def test_a_running_guest_has_a_screen_and_a_picture_of_it(embed: KvmDriver, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "d.qcow2", "d")
    made = embed.connection.defineXML(
        domain_xml("d", [DiskXML(path=disk)], serial_file=tmp_path / "d.log", screen=True)
    )
    made.create()
    found = embed.console(made.UUIDString(), deadline=soon())
    assert (found.kind, found.host) == ("vnc", "127.0.0.1")
    assert found.port is not None
    assert found.url == f"vnc://127.0.0.1:{found.port}"
    with serial_console.Console(tmp_path / "d.log") as log:
        log.wait(up_line("d"))
    picture = embed.screenshot(made.UUIDString(), deadline=soon())
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert not read_screenshot(picture).is_black(0, 16)


def test_a_guest_without_a_screen_has_its_serial_line(embed: KvmDriver) -> None:
    made = embed.connection.defineXML(domain_xml("d"))
    made.create()
    found = embed.console(made.UUIDString(), deadline=soon())
    assert found.kind == "serial"
    assert found.path is not None
    assert found.path.startswith("/dev/pts/")


def test_a_domain_that_is_off_has_no_console(embed: KvmDriver) -> None:
    made = embed.connection.defineXML(domain_xml("d"))
    with pytest.raises(errors.PowerStateError, match="off"):
        embed.console(made.UUIDString(), deadline=soon())


def test_a_guest_without_a_graphics_card_says_so(embed: KvmDriver, embed_host: hvsdk.Host) -> None:
    embed.connection.defineXML(domain_xml("d"))
    assert "graphics card" in str(embed_host.domain("d").why_not("screenshot"))


def test_what_listens_everywhere_is_reached_by_the_hosts_name() -> None:
    graphics = "<graphics type='vnc' port='5901' listen='0.0.0.0'/>"
    assert console(graphics, "hv-1") == Console(kind="vnc", url="vnc://hv-1:5901", host="hv-1", port=5901)
    assert console(graphics) == Console(kind="vnc", url="vnc://127.0.0.1:5901", host="127.0.0.1", port=5901)


def test_addresses_of_version_6_are_in_brackets() -> None:
    found = console("<graphics type='vnc' port='5901' listen='::1'/>")
    assert found is not None
    assert found.url == "vnc://[::1]:5901"


def test_a_password_is_told_with_its_end_and_shown_in_no_repr() -> None:
    found = console(
        "<graphics type='spice' port='5900' tlsPort='5901' passwd='secret' passwdValidTo='2030-01-02T03:04:05'/>"
    )
    assert found is not None
    assert found.password == "secret"
    assert found.url == "spice://127.0.0.1:5900?tls-port=5901"
    assert found.expires_at is not None
    assert found.expires_at.isoformat() == "2030-01-02T03:04:05+00:00"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ("<graphics type='vnc' socket='/run/d.sock'/>", Console(kind="vnc", path="/run/d.sock")),
        ("<graphics type='vnc' port='-1'/>", None),
        ("<graphics type='vnc' port='5900; rm -rf'/>", None),
        ("<graphics type='sdl'/><console type='pty'><source path='/dev/pts/3'/></console>", "/dev/pts/3"),
        ("<serial type='unix'><source mode='bind' path='/run/s'/></serial>", "/run/s"),
        ("<serial type='unix'><source mode='connect' path='/run/s'/></serial>", None),
        ("<serial type='file'><source path='/log'/></serial>", None),
        ("<serial type='pty'/>", None),
    ],
)
def test_other_consoles(devices: str, expected: Console | str | None) -> None:
    assert console(devices) == (Console(kind="serial", path=expected) if isinstance(expected, str) else expected)


def test_a_ppm_becomes_the_same_picture_as_png() -> None:
    pixels = bytes(range(18))
    png = png_of(b"P6\n# made by a test\n3 2\n255\n" + pixels)
    assert struct.unpack(">II", png[16:24]) == (3, 2)
    length = struct.unpack(">I", png[33:37])[0]
    lines = zlib.decompress(png[41 : 41 + length])
    assert lines == b"\0" + pixels[:9] + b"\0" + pixels[9:]


@pytest.mark.parametrize("picture", [b"", b"GIF89a", b"P6\n3 2\n255\n" + bytes(5), b"P6\n0 0\n255\n"])
def test_what_is_no_picture_is_refused(picture: bytes) -> None:
    with pytest.raises(errors.OperationFailedError):
        png_of(picture)
