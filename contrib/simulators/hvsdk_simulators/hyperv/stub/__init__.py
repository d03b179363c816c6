"""The stand-in for the modules of a Windows host: cmdlets that ask the simulated host what the real ones would answer."""
