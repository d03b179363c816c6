"""An XVA read while it comes, compressed or not."""

import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator

from hvsdk_simulators.xapi.failure import Failure

from ._archive import MEMBER_OF_RECORDS, PIECE

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_DISK = re.compile(r"(Ref:\d+)/(\d{8,})")
_CHECKSUM = re.compile(r"Ref:\d+/\d{8,}\.(?:checksum|xxhash)")
_MOST_RECORD_BYTES = 64 << 20


class ArchiveReader:
    """Gives the records first, then the pieces of disks as they come.

    Args:
        read: Gives up to that many bytes, none at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        try:
            self._tar = tarfile.open(fileobj=_Stream(read), mode="r|")  # noqa: SIM115  # ends with the stream
        except (tarfile.TarError, zlib.error) as exc:
            raise Failure("IMPORT_ERROR_PREMATURE_EOF") from exc

    def records(self) -> bytes:
        """The text of the records, which must come first."""
        member = self._next()
        if member is None:
            raise Failure("IMPORT_ERROR_PREMATURE_EOF")
        if member.name != MEMBER_OF_RECORDS or member.size > _MOST_RECORD_BYTES:
            raise Failure("IMPORT_ERROR_UNEXPECTED_FILE", MEMBER_OF_RECORDS, member.name)
        return self._content(member)

    def pieces(self) -> Iterator[tuple[str, int, bytes]]:
        """The name of a disk, an offset in it, and what is there. Checksums are held against it."""
        content = b""
        while (member := self._next()) is not None:
            if _CHECKSUM.fullmatch(member.name):
                _verify(member.name, content, self._content(member))
                continue
            found = _DISK.fullmatch(member.name)
            if found is None or member.size > PIECE:
                raise Failure("IMPORT_ERROR_UNEXPECTED_FILE", "a piece of a disk", member.name)
            content = self._content(member)
            yield found[1], int(found[2]) * PIECE, content

    def _next(self) -> tarfile.TarInfo | None:
        try:
            return self._tar.next()
        except (tarfile.TarError, zlib.error) as exc:
            raise Failure("IMPORT_ERROR_PREMATURE_EOF") from exc

    def _content(self, member: tarfile.TarInfo) -> bytes:
        file = self._tar.extractfile(member)
        if file is None:
            raise Failure("IMPORT_ERROR_UNEXPECTED_FILE", "a file", member.name)
        try:
            return file.read()
        except (tarfile.TarError, zlib.error) as exc:
            raise Failure("IMPORT_ERROR_PREMATURE_EOF") from exc


class _Stream(io.RawIOBase):
    """What `tarfile` reads from: it asks for exactly as much as it needs, and holds less to be the end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        super().__init__()
        self._source = read
        self._held = bytearray(self._take(2))
        self._inflate = zlib.decompressobj(wbits=31) if self._held == _GZIP else None
        if self._inflate is not None:
            self._held = bytearray(self._inflate.decompress(bytes(self._held)))

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._held) < size:
            piece = self._source(_CHUNK)
            if not piece:
                break
            self._held += self._inflate.decompress(piece) if self._inflate is not None else piece
        taken = bytes(self._held if size < 0 else self._held[:size])
        del self._held[: len(taken)]
        return taken

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count and (piece := self._source(count - len(taken))):
            taken += piece
        return taken


def _verify(name: str, content: bytes, checksum: bytes) -> None:
    if (
        name.endswith(".checksum")
        and hashlib.sha1(content, usedforsecurity=False).hexdigest() != checksum.decode().strip()
    ):
        raise Failure("IMPORT_ERROR_SOME_CHECKSUMS_FAILED")
