"""Bytes of what is measured in them."""

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
