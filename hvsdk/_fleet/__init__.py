"""Many hosts as one: the file that names them, the fan-out over them, and what is asked of all."""
