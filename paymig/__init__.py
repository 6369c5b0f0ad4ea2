"""Deploy a migration, move its traffic, rehearse it."""
