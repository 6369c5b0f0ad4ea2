"""The target's schema is the source's: made by pg_dump and pg_restore, in two sections around the load."""
