"""The file of a domain's UEFI variables, which has no place in a storage pool."""

from __future__ import annotations

import copy
import json
import shlex
import shutil
import xml.etree.ElementTree as ET
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import libvirt

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import write_xml

__all__ = ["copy_variables", "has_flash"]


def has_flash(definition: ET.Element) -> bool:
    """Whether a domain starts with UEFI from flash chips: one with the program, one with its variables."""
    loader = definition.find("os/loader")
    flash = loader is not None and loader.get("type") == "pflash"
    return flash or definition.find("os[@firmware='efi']") is not None


def copy_variables(session: Session, original: ET.Element, clone: ET.Element) -> None:
    """Give a clone the UEFI variables of its original; one that was never started has none.

    A daemon copies the file where it is: as the template of a domain without devices that runs for a moment under the
    clone's name, since that is the only way in which libvirt touches such files.
    """
    program, variables = _flash_files(session, original)
    _, wanted = _flash_files(session, clone)
    if program is None or variables is None or wanted is None:
        return
    if session.embedded:
        with suppress(FileNotFoundError):
            shutil.copyfile(variables, wanted)
            Path(wanted).chmod(0o600)
        return
    try:
        helper = session.connection.createXML(
            write_xml(_helper(clone, program, variables, wanted)),
            libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY,
        )
    except libvirt.libvirtError as exc:
        if code_of(exc) != libvirt.VIR_ERR_SYSTEM_ERROR:  # else the template is not there: nothing to copy
            raise
        return
    helper.destroy()


def _flash_files(session: Session, definition: ET.Element) -> tuple[str | None, str | None]:
    """Return the files of both chips, as libvirt would hand them to QEMU."""
    command = shlex.split(session.connection.domainXMLToNative("qemu-argv", write_xml(definition), 0))
    files: dict[str, str] = {}
    for option, value in pairwise(command):
        if option == "-blockdev" and value.startswith("{"):
            node = json.loads(value)
            files[str(node.get("node-name"))] = str(node.get("filename"))
    return files.get("libvirt-pflash0-storage"), files.get("libvirt-pflash1-storage")


def _helper(clone: ET.Element, program: str, variables: str, wanted: str) -> ET.Element:
    domain = ET.Element("domain", type=clone.get("type", "qemu"))
    for tag in ("name", "uuid"):
        ET.SubElement(domain, tag).text = clone.findtext(tag)
    ET.SubElement(domain, "memory", unit="MiB").text = "16"
    firmware = ET.SubElement(domain, "os")
    kind = clone.find("os/type")
    if kind is not None:
        firmware.append(copy.deepcopy(kind))
    ET.SubElement(firmware, "loader", readonly="yes", type="pflash").text = program
    ET.SubElement(firmware, "nvram", template=variables).text = wanted
    ET.SubElement(ET.SubElement(domain, "features"), "acpi")
    devices = ET.SubElement(domain, "devices")
    ET.SubElement(devices, "memballoon", model="none")
    ET.SubElement(ET.SubElement(devices, "video"), "model", type="none")
    return domain
