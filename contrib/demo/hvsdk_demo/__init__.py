"""Two real guests, driven through hvsdk alone."""
