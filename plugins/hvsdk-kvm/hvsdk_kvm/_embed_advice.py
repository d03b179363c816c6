"""What is wrong with the configuration of an embedded driver. It is told, never written."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["embed_advice"]

_VIRTLOGD = ("/run/libvirt/virtlogd-sock", "/var/run/libvirt/virtlogd-sock")


def embed_advice(root: Path) -> str | None:
    """Return what to write into `<root>/etc/qemu.conf` before the first connection, `None` when nothing is amiss."""
    try:
        settings = (root / "etc" / "qemu.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        settings = ""
    advice = []
    if os.geteuid() == 0 and os.path.exists("/dev/kvm") and not _sets(settings, "user"):
        advice.append('user = "root" and group = "root" (else every definition may probe QEMU for a minute)')
    if not any(map(os.path.exists, _VIRTLOGD)) and not _sets(settings, "stdio_handler"):
        advice.append('stdio_handler = "file" (else a start wants virtlogd, which does not run here)')
    return f"write into {root}/etc/qemu.conf: {'; '.join(advice)}" if advice else None


def _sets(settings: str, name: str) -> bool:
    return re.search(rf"^\s*{name}\s*=", settings, re.MULTILINE) is not None
