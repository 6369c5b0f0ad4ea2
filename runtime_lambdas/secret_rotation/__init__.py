"""The rotation of a PostgreSQL role's password, as Secrets Manager asks for it."""
