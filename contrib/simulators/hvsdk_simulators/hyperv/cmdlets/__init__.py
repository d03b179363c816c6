"""The cmdlets of the simulated host: one file for each subject, all found in `CMDLETS` of `registry`."""
