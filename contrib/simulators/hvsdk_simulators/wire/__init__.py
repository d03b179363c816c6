"""What simulators of all products share: the server, its faults, what it counts and its control door."""
