"""Who may log in to the two databases, and where: one answer inside AWS, another on an operator's machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from psycopg2.extensions import connection, make_dsn

from runtime_lambdas.runtime import database
from runtime_lambdas.runtime.database import NotConfigured, Secret, Server
from runtime_lambdas.runtime.writer import Side

Role = Literal["application", "admin", "api", "control", "validation", "replication", "master"]
"""Of the source: application and admin. Of the target: the rest, named after their secrets."""


@dataclass(frozen=True)
class Login:
    """A way into one database.

    Attributes:
        server: where it is; a host, port or dbname in the secret wins.
        secret: username and password.
    """

    server: Server
    secret: Secret = field(repr=False)

    @property
    def user(self) -> str:
        """The role's name in the database."""
        return str(self.secret["username"])

    def open(self) -> connection:
        """Open a connection.

        Raises:
            psycopg2.OperationalError: Unreachable, or the login or the certificate was refused.
        """
        return database.connect(self.server, self.secret)

    def for_a_server(self) -> str:
        """Return the connection string by which the *other* database server reaches this one; it holds the password.

        Certificates are files of a server that nobody can place on Aurora, so the connection is encrypted and not
        verified by one; the SCRAM exchange proves either end to the other (docs/adr/0017).
        """
        where = database.located(self.server, self.secret)
        return str(
            make_dsn(
                host=where.host,
                port=where.port,
                dbname=where.name,
                user=self.user,
                password=self.secret["password"],
                sslmode="prefer" if database.is_loopback(where.host) else "require",
            )
        )


class Logins(Protocol):
    """Finds logins."""

    def login(self, side: Side, role: Role) -> Login:
        """Return a login with its secret as it is now.

        Raises:
            NotConfigured: This place does not know it.
        """
        ...


_VARIABLES: Mapping[tuple[Side, Role], str] = {
    ("source", "application"): "SOURCE_SECRET_ARN",
    ("source", "admin"): "SOURCE_ADMIN_SECRET_ARN",
    ("target", "api"): "TARGET_API_SECRET_ARN",
    ("target", "control"): "TARGET_CONTROL_SECRET_ARN",
    ("target", "validation"): "TARGET_VALIDATION_SECRET_ARN",
    ("target", "replication"): "TARGET_REPLICATION_SECRET_ARN",
    ("target", "master"): "TARGET_MASTER_SECRET_ARN",
}


class Deployed:
    """The logins a deployed function knows by its environment.

    Args:
        own: the role that TARGET_SECRET_ARN is the secret of.
    """

    def __init__(self, own: Role = "control") -> None:
        self._own = own

    def login(self, side: Side, role: Role) -> Login:
        """As `Logins.login`."""
        variable = _VARIABLES[side, role]
        if side == "target" and role == self._own:
            variable = "TARGET_SECRET_ARN"
        if not os.environ.get(variable):
            raise NotConfigured(f"{variable} is not set, so this function does not know the {side}'s {role} login.")
        return Login(database.server(side), database.read_secret(os.environ[variable]))
