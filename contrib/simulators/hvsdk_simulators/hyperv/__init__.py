"""A Hyper-V host behind WinRM: its VMs, disks, switches and checkpoints, and two engines that carry scripts out on it."""
