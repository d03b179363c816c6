"""The contract between the core and a backend; `hvsdk.driver` is its public face."""
