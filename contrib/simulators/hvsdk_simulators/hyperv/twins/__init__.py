"""What the scripts of a client do, written in Python for the engine without PowerShell."""
