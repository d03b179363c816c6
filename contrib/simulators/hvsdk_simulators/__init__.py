"""Servers that stand in for hypervisors that no test can run: they speak the product's own protocol and keep state."""
