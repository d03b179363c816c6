"""Drivers that break one rule each, and the test of the kit that is there to catch it."""
