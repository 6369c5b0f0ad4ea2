"""The sections of a migration.yaml, one file each."""
