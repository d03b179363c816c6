"""Virtual hard disks as files: VHDX and VHD, fixed, dynamic and differencing."""
