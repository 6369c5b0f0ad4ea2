"""The guard: a row in each database that admits one act after the other, and none that comes too late.

An operator who was taken for dead may wake up in the middle of an act, and a statement whose connection broke may still
be running on the server. Each act that opens or closes a database therefore begins, in its own transaction, by raising
the guard to its own number, which only ever grows: what comes later has a higher one, and what comes too late is
refused by the database itself.
"""

from __future__ import annotations

from psycopg2.extensions import cursor

from .actions import Superseded

DEFINITION = """
CREATE SCHEMA IF NOT EXISTS paymig;
CREATE TABLE IF NOT EXISTS paymig.guard (
    id    integer PRIMARY KEY CHECK (id = 1),
    token bigint  NOT NULL,
    act   bigint  NOT NULL
);
INSERT INTO paymig.guard VALUES (1, 0, 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS paymig.revoked (
    kind      text    NOT NULL CHECK (kind IN ('TABLE', 'SEQUENCE', 'ROUTINE')),
    object    text    NOT NULL,
    columns   text    NOT NULL,
    grantor   text    NOT NULL,
    grantee   text    NOT NULL,
    privilege text    NOT NULL,
    grantable boolean NOT NULL,
    onward    boolean NOT NULL,
    PRIMARY KEY (kind, object, columns, grantor, grantee, privilege)
);
COMMENT ON TABLE paymig.revoked IS 'What a fence took away, and opening this database gives back.';
"""


def make(running: cursor) -> None:
    """Make the tables that an act needs, in a transaction of the tables' owner."""
    running.execute("SELECT to_regclass('paymig.revoked') IS NOT NULL")
    if running.fetchone() != (True,):
        running.execute(DEFINITION)


def enter(running: cursor, token: int, act: int) -> None:
    """Begin an act; the acts that are still running are waited for, up to the connection's lock timeout.

    Args:
        running: in the transaction of the act.
        token: the lease's.
        act: the number of the act under this token, from 1.

    Raises:
        Superseded: A later act has been here.
    """
    running.execute(
        "UPDATE paymig.guard SET token = %(token)s, act = %(act)s WHERE (token, act) < (%(token)s, %(act)s)",
        {"token": token, "act": act},
    )
    if running.rowcount != 1:
        raise Superseded(
            "this database was handed over to another operator since: nothing was done to it",
            "paymig history shows who it was",
        )
