"""The journal and the lease: what was done to a migration, by whom, and who may act on it now."""
