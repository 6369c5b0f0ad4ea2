"""A role's password in the database."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from runtime_lambdas.runtime import database
from runtime_lambdas.runtime.database import Secret, Server


class RotationFailed(RuntimeError):
    """The password was not changed: says why, and what to do."""


def opens(where: Server, login: Secret) -> bool:
    """Tell whether a login works, by using it."""
    try:
        with closing(database.connect(where, login)) as connection, connection, connection.cursor() as running:
            running.execute("SELECT current_user")
            return running.fetchone() == (login["username"],)
    except psycopg2.OperationalError:
        return False


def set_password(where: Server, admin: Secret, login: Secret) -> None:
    """Give the role of `login` its password; a role that does not exist yet is made, with no rights beyond logging in.

    The server receives the password as a SCRAM verifier, so it is in no statement log.

    Raises:
        RotationFailed: The role is the administrator's own, or a superuser.
        psycopg2.Error: The database can't be reached as the administrator, or refused.
    """
    name = login["username"]
    if name == admin["username"]:
        raise RotationFailed(f"{name} is the administrator, whose password RDS rotates. Rotate another secret here.")
    # An address in the secret is the role's own, and the administrator needs the same server.
    admin = {**admin, **{key: login[key] for key in ("host", "port", "dbname") if login.get(key)}}
    with closing(database.connect(where, admin)) as connection, connection, connection.cursor() as running:
        running.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (name,))
        row = running.fetchone()
        if row == (True,):
            raise RotationFailed(f"{name} is a superuser; only roles of applications are rotated here.")
        verb = "CREATE ROLE" if row is None else "ALTER ROLE"
        verifier = encrypt_password(login["password"], name, scope=connection, algorithm="scram-sha-256")
        running.execute(
            sql.SQL("{} {} LOGIN PASSWORD {}").format(sql.SQL(verb), sql.Identifier(name), sql.Literal(verifier))
        )
