"""Archives that a Linux kernel unpacks as its first file system: cpio in the `newc` format."""

from __future__ import annotations

import stat


class Cpio:
    """An archive in the making. Directories above a file are added as they are needed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._directories: set[str] = set()
        self._entries = 0

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file; `path` is relative to the root."""
        self._add(path, stat.S_IFREG | mode, content)

    def program(self, path: str, content: bytes) -> None:
        """Add a file that can be executed."""
        self.file(path, content, 0o755)

    def symlink(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path: str, major: int, minor: int) -> None:
        """Add a device node."""
        self._add(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def directory(self, path: str) -> None:
        """Add a directory and those above it, unless they are there."""
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name not in self._directories:
                self._directories.add(name)
                self._entry(name, stat.S_IFDIR | 0o755, b"", (0, 0))

    def finish(self) -> bytes:
        """Return the whole archive."""
        self._entry("TRAILER!!!", 0, b"", (0, 0))
        return b"".join(self._parts)

    def _add(self, path: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        if "/" in path:
            self.directory(path.rpartition("/")[0])
        self._entry(path, mode, content, device)

    def _entry(self, name: str, mode: int, content: bytes, device: tuple[int, int]) -> None:
        self._entries += 1
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        numbers = [self._entries, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(encoded), 0]
        header = b"070701" + b"".join(b"%08X" % number for number in numbers)
        self._parts += [_padded(header + encoded), _padded(content)]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
