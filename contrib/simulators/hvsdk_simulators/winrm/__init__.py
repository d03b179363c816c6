"""A WinRM service: WS-Management over HTTP with remote shells, whatever runs in them."""
