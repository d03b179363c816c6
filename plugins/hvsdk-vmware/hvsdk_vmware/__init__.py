"""The backend for vCenter and ESXi."""
