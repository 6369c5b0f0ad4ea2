"""Connections to the two databases, with logins from Secrets Manager and TLS that nothing can weaken."""

from __future__ import annotations

import ipaddress
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection, cursor

from runtime_lambdas.runtime import aws
from runtime_lambdas.runtime.writer import Side

Result = TypeVar("Result")
Secret = Mapping[str, Any]


class NotConfigured(RuntimeError):
    """The function was deployed without the address of this database."""


@dataclass(frozen=True)
class Server:
    """Where a database is, and how the connection to it is protected (`tls` is a libpq sslmode)."""

    host: str
    port: int
    name: str
    tls: str
    ca: str | None


def configured(side: Side) -> bool:
    """Tell whether the function knows this side's database."""
    return bool(os.environ.get(f"{side.upper()}_HOST"))


def server(side: Side) -> Server:
    """Return a side's database as the environment gives it.

    Raises:
        NotConfigured: The environment does not name it.
    """
    prefix = side.upper()
    if not configured(side):
        raise NotConfigured(
            f"{prefix}_HOST is not set, so the {side} database is unknown to this function. "
            "It is set once that database exists: deploy the migration again."
        )
    return Server(
        host=os.environ[f"{prefix}_HOST"],
        port=int(os.environ.get(f"{prefix}_PORT") or 5432),
        name=os.environ[f"{prefix}_NAME"],
        tls=os.environ.get(f"{prefix}_TLS") or "verify-full",
        ca=os.environ.get(f"{prefix}_CA") or None,
    )


def read_secret(arn: str, stage: str = "AWSCURRENT") -> Secret:
    """Return the JSON object that a secret holds: username, password, and where it names them host, port, dbname."""
    answer = aws.client("secretsmanager").get_secret_value(SecretId=arn, VersionStage=stage)
    secret: Secret = json.loads(answer["SecretString"])
    return secret


def connect(where: Server, login: Secret) -> connection:
    """Open a connection; a host, port or dbname in the secret wins over `where`.

    Raises:
        psycopg2.OperationalError: Unreachable, or the login or the certificate was refused.
    """
    where = located(where, login)
    opened: connection = psycopg2.connect(
        host=where.host,
        port=where.port,
        dbname=where.name,
        user=login["username"],
        password=login["password"],
        application_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "paymig"),
        client_encoding="UTF8",
        connect_timeout=5,
        tcp_user_timeout=10_000,  # milliseconds: a server that vanished is noticed before the function times out
        **_protection(where),
    )
    return opened


def located(where: Server, login: Secret) -> Server:
    """Return where a login leads: a host, port or dbname in its secret wins over `where`."""
    return replace(
        where,
        host=str(login.get("host") or where.host),
        port=int(login.get("port") or where.port),
        name=str(login.get("dbname") or where.name),
    )


def _protection(where: Server) -> dict[str, Any]:
    if is_loopback(where.host):
        return {"sslmode": "prefer"}  # nothing leaves the machine
    return {"sslmode": where.tls, **({"sslrootcert": where.ca} if where.ca else {})}


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_side(side: Side) -> connection:
    """Open a connection to a side's database, with a fresh secret when the known one no longer opens it.

    Raises:
        NotConfigured: The environment does not name it.
        psycopg2.OperationalError: Unreachable, or the login was refused with the secret as it is now.
    """
    where, arn = server(side), os.environ[f"{side.upper()}_SECRET_ARN"]
    known = _secrets.get(arn)
    if known is not None:
        try:
            return connect(where, known)
        except psycopg2.OperationalError:
            # libpq gives no code for a refused login, so the secret itself tells whether it was rotated.
            fresh = read_secret(arn)
            if fresh == known:
                raise
            known = fresh
    else:
        known = read_secret(arn)
    opened = connect(where, known)
    _secrets[arn] = known
    return opened


_secrets: dict[str, Secret] = {}
_kept = threading.local()


class Lost(Exception):
    """The connection broke, perhaps after its transaction was committed; the next attempt gets a fresh one."""


def transact(side: Side, work: Callable[[cursor], Result]) -> Result:
    """Run `work` in one transaction on a kept connection and return what it returns.

    When the connection turns out to be broken it is replaced and `work` runs once more. That includes a commit whose
    outcome is unknown: `work` must be safe to repeat.

    Raises:
        psycopg2.Error: The database refused, or is unreachable.
    """
    try:
        return attempt(side, work)
    except Lost:
        pass
    try:
        return attempt(side, work)
    except Lost as error:
        raise psycopg2.OperationalError(str(error)) from error


def attempt(side: Side, work: Callable[[cursor], Result]) -> Result:
    """Run `work` in one transaction on a kept connection, once.

    A connection that broke, or that leads to a server which became a standby, is not kept.

    Raises:
        Lost: The connection broke on the way, so whether the transaction was committed is unknown.
        psycopg2.Error: The database refused, or no connection could be opened: nothing was committed.
    """
    kept = _keep(side)
    try:
        return _transact(kept, work)
    except psycopg2.Error as error:
        if isinstance(error, errors.ReadOnlySqlTransaction):
            _drop(side)
            raise
        if not kept.closed:
            raise  # the server refused the statement; the connection itself is sound
        _drop(side)
        raise Lost(str(error).strip()) from error


def _drop(side: Side) -> None:
    _sides().pop(side).close()


def _transact(kept: connection, work: Callable[[cursor], Result]) -> Result:
    with kept, kept.cursor() as running:
        return work(running)


def _keep(side: Side) -> connection:
    sides = _sides()
    if side not in sides:
        sides[side] = open_side(side)
    return sides[side]


def _sides() -> dict[Side, connection]:
    # A connection belongs to one thread: a transaction is a property of the connection, not of the cursor.
    if not hasattr(_kept, "sides"):
        _kept.sides = {}
    kept: dict[Side, connection] = _kept.sides
    return kept
