"""XVA archives: a tar with `ova.xml`, which has the records, and the disks in pieces of a mebibyte."""

from ._archive import MEMBER_OF_RECORDS, disk_members, end, file_member
from ._document import Document, read_document, write_document
from ._making import Making
from ._plan import plan
from ._reader import ArchiveReader

__all__ = [
    "MEMBER_OF_RECORDS",
    "ArchiveReader",
    "Document",
    "Making",
    "disk_members",
    "end",
    "file_member",
    "plan",
    "read_document",
    "write_document",
]
