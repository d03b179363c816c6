"""The numbers and structures of the NBD protocol, big endian."""

import struct

ANNOUNCEMENT = struct.pack(">8sQH", b"NBDMAGIC", 0x49484156454F5054, 1)
"""The greeting of a server that speaks the fixed newstyle and offers nothing newer."""
CLIENT_FLAGS = struct.Struct(">I")
FIXED_NEWSTYLE = 1

OPTION = struct.Struct(">QII")
OPTION_MAGIC = 0x49484156454F5054
OPTION_REPLY = struct.Struct(">QIII")
OPTION_REPLY_MAGIC = 0x0003E889045565A9
OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, OPT_STARTTLS = 1, 2, 3, 5
ACK = 1
UNSUPPORTED, POLICY, INVALID, TLS_REQUIRED = (0x80000000 | number for number in (1, 2, 3, 5))
MOST_OPTION_BYTES = 64 * 1024

EXPORT = struct.Struct(">QH124x")
HAS_FLAGS, READ_ONLY = 1, 2

REQUEST = struct.Struct(">IHHQQI")
REQUEST_MAGIC = 0x25609513
REPLY = struct.Struct(">IIQ")
REPLY_MAGIC = 0x67446698
READ, DISCONNECT = 0, 2
EINVAL = 22
