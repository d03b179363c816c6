"""VHD streams as XAPI sends and takes them."""

from ._decode import VhdError, decode
from ._encode import MAXIMUM_SIZE, Parent, encode
from ._geometry import chs

__all__ = ["MAXIMUM_SIZE", "Parent", "VhdError", "chs", "decode", "encode"]
