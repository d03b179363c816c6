"""What carries out the command lines that come over WinRM."""
