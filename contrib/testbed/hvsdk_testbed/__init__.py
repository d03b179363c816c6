"""Real machines, daemons and faults for the tests of a hypervisor library."""
