"""The store of an embedded QEMU driver, which has no storage pools: one directory stands in, kept with qemu-img."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvsdk.driver import StoragePoolInfo, VolumeInfo, errors

from hvsdk_kvm._store import Store

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["POOL", "EmbedStore", "file_format"]

POOL = "default"
"""Id and name of the one pool."""
_QCOW2 = b"QFI\xfb"
_EXTERNAL_DATA = 4
"""Feature of a qcow2 file whose content is in another file."""
_FORMATS = {".qcow2": "qcow2", ".raw": "raw", ".iso": "raw"}


class EmbedStore(Store):
    """Image files in a directory of this machine, as the pool `default`."""

    sees_files = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def directory(self) -> Path:
        """Where the volumes are."""
        return self._directory

    @classmethod
    def of(cls, session: Session) -> EmbedStore:
        """Return the store of an embedded connection: its option `images`, or `<root>/images`."""
        chosen = session.target.options.get("images")
        directory = Path(chosen).absolute() if chosen else Path(session.embed_root or "/") / "images"
        return cls(Path(os.path.normpath(directory)))

    def pools(self) -> list[StoragePoolInfo]:
        self._directory.mkdir(parents=True, exist_ok=True)
        usage = shutil.disk_usage(self._directory)
        return [
            StoragePoolInfo(
                id=POOL,
                name=POOL,
                type="dir",
                active=True,
                capacity_bytes=usage.total,
                allocated_bytes=usage.used,
                free_bytes=usage.free,
                path=str(self._directory),
            )
        ]

    def pool(self, key: str | None) -> StoragePoolInfo:
        if key not in (None, POOL):
            raise errors.StoragePoolNotFoundError(
                f"there is no storage pool {key!r}", hint=f"an embedded driver has one: {POOL!r}"
            )
        return self.pools()[0]

    def volumes(self, pool_id: str) -> list[VolumeInfo]:
        directory = Path(self.pool(pool_id).path or "")
        found = []
        for path in sorted(directory.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                volume = self.locate(str(path))
                if volume is not None:
                    found.append(volume)
        return found

    def volume(self, pool_id: str, volume_id: str) -> VolumeInfo:
        self.pool(pool_id)
        path = self._directory / volume_id
        volume = self.locate(str(path)) if path.parent == self._directory else None
        if volume is None:
            raise errors.VolumeNotFoundError(f"the storage pool {pool_id!r} has no volume {volume_id!r}")
        return volume

    def locate(self, path: str) -> VolumeInfo | None:
        file = Path(path)
        if not file.is_absolute() or not file.is_file():
            return None
        ours = file.parent == self._directory
        format = file_format(file, probe=ours)
        about = _facts(path, format or ("qcow2" if ours and _header(file)[:4] == _QCOW2 else "raw"))
        return VolumeInfo(
            id=file.name,
            name=file.name,
            pool=POOL if ours else "",
            capacity_bytes=about.get("virtual-size") if format else None,
            allocated_bytes=about.get("actual-size"),
            format=format,
            path=path,
            backing=_plain_path(about.get("full-backing-filename", about.get("backing-filename"))),
            details={"kvm.type": "file", "kvm.pool": POOL if ours else "", **_told_format(about)},
        )

    def same(self, path: str) -> str:
        return os.path.realpath(path)

    def thin_format(self, pool: StoragePoolInfo) -> str:
        return "qcow2"

    def create(self, pool: StoragePoolInfo, name: str, size_bytes: int, format: str | None) -> VolumeInfo:
        return self._make(name, format, lambda path, kind: ("create", "-q", "-f", kind, path, str(size_bytes)))

    def copy(self, source: VolumeInfo, pool: StoragePoolInfo, name: str, format: str | None) -> VolumeInfo:
        given = ("convert", "-q", "-f", source.format or "raw", "-O")
        return self._make(name, format, lambda path, kind: (*given, kind, str(source.path), path))

    def overlay(self, base: VolumeInfo, pool: StoragePoolInfo, name: str) -> VolumeInfo:
        below = ("-b", str(base.path), "-F", base.format or "raw")
        return self._make(name, "qcow2", lambda path, kind: ("create", "-q", "-f", kind, *below, path))

    def upload(self, pool: StoragePoolInfo, name: str, data: bytes) -> VolumeInfo:
        path = self._reserve(name, "raw")
        try:
            path.write_bytes(data)
        except OSError as exc:
            path.unlink(missing_ok=True)
            raise errors.InsufficientResourcesError(f"{path} could not be written: {exc.strerror}") from exc
        return self.volume(POOL, name)

    def resize(self, volume: VolumeInfo, size_bytes: int) -> None:
        _qemu_img("resize", "-q", "-f", volume.format or "raw", str(volume.path), str(size_bytes))

    def delete(self, volume: VolumeInfo) -> None:
        Path(str(volume.path)).unlink(missing_ok=True)

    def _make(self, name: str, format: str | None, arguments: Any) -> VolumeInfo:
        kind = format or "qcow2"
        path = self._reserve(name, kind)
        try:
            _qemu_img(*arguments(str(path), kind))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self.volume(POOL, name)

    def _reserve(self, name: str, format: str) -> Path:
        """Take a name by making an empty file, so that nobody else can have it."""
        if format not in ("qcow2", "raw"):
            raise errors.InvalidSpecError(f"volumes here are qcow2 or raw, not {format!r}")
        if name.startswith("."):
            raise errors.InvalidSpecError(f"a volume's name cannot begin with a dot: {name!r}")
        path = Path(self.pools()[0].path or "") / name
        if _FORMATS.get(path.suffix, format) != format:
            raise errors.InvalidSpecError(f"{name!r} would be read as {_FORMATS[path.suffix]}, not as {format!r}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as exc:
            raise errors.AlreadyExistsError(f"the storage pool {POOL!r} already has a volume {name!r}") from exc
        return path


def file_format(path: Path, *, probe: bool) -> str | None:
    """Return the format that a file's name tells, or its first bytes where `probe` allows to trust them.

    What a guest writes on a raw disk can look like another format, so names go first. Bytes that point at a further
    file are never trusted: they would open it to the guest.
    """
    known = _FORMATS.get(path.suffix)
    if known is not None or not probe:
        return known
    header = _header(path)
    if header[:4] != _QCOW2:
        return "raw"
    version, backing = struct.unpack_from(">IQ", header, 4)
    features = struct.unpack_from(">Q", header, 72)[0] if version > 2 else 0
    return None if backing or features & _EXTERNAL_DATA else "qcow2"


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(80).ljust(80, b"\0")


def _plain_path(name: str | None) -> str | None:
    """Return the path in QEMU's name of a file, where it is written with a protocol; other names stay as they are."""
    if name is None or not name.startswith(("json:", "file:")):
        return name
    if name.startswith("file:"):
        return name.removeprefix("file:")
    try:
        node = json.loads(name.removeprefix("json:"))
        while isinstance(node.get("file"), dict):
            node = node["file"]
    except (ValueError, AttributeError):
        return name
    found = node.get("filename", node.get("file.filename"))
    return found if isinstance(found, str) else name


def _told_format(about: dict[str, Any]) -> dict[str, str]:
    told = about.get("backing-filename-format")
    return {} if told is None else {"kvm.backing_format": str(told)}


def _facts(path: str, format: str) -> dict[str, Any]:
    """Return what qemu-img knows of a file; nothing of a damaged one, which is there nevertheless."""
    try:
        return dict(json.loads(_qemu_img("info", "--force-share", "--output=json", "-f", format, path)))
    except errors.OperationFailedError:
        return {}


def _qemu_img(*arguments: str) -> str:
    try:
        done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, errors="replace")
    except FileNotFoundError as exc:
        raise errors.OperationFailedError("qemu-img is not installed here", hint="apt install qemu-utils") from exc
    if done.returncode == 0:
        return done.stdout
    reason = done.stderr.strip().removeprefix("qemu-img: ")
    full = "No space left" in reason
    kind = errors.InsufficientResourcesError if full else errors.OperationFailedError
    raise kind(f"qemu-img {arguments[0]} failed: {reason}")
