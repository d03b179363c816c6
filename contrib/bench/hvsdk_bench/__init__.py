"""What hvsdk costs, beside the client libraries used by hand."""
