"""Settings of the two servers, and what runs on them now."""

from collections.abc import Iterator

from paymig.preflight.case import ERROR, WARNING, Case, Finding, Side, human, number, setting, sides
from runtime_lambdas.runtime.facts import Facts
from schemas.diagnostics import Severity, SpecPath

LONG_TRANSACTION = 60.0
"""Seconds after which a transaction is in the way: a slot and the fence wait for those that are open."""

_KEPT = 2**30  # bytes of log that an abandoned slot may hold before it is worth a word
_RESTART = "set it and restart the server"
_RELOAD = "set it and reload the configuration"
_AURORA = "set it in the parameter group"


def _place(side: Side) -> SpecPath:
    return ("source", "database") if side == "source" else ("database",)


def _set(
    facts: Facts, side: Side, code: str, why: str, name: str, value: str, restart: bool, severity: Severity = ERROR
) -> Finding:
    where = f"{name} is {setting(facts, name)} on the {side}: {why}"
    if facts.server["managed"]:
        known = "rds.logical_replication = 1" if name == "wal_level" else f"{name} = {value}"
        return Finding(code, severity, where, _place(side), f"{_AURORA}{' and reboot' * restart}: {known}", side)
    statements = [f"ALTER SYSTEM SET {name} = {value}", *([] if restart else ["SELECT pg_reload_conf()"])]
    return Finding(code, severity, where, _place(side), _RESTART if restart else _RELOAD, side, tuple(statements))


def wal_level(case: Case) -> Iterator[Finding]:
    """A log that says nothing of rows; the target's is read by the way back."""
    for side, facts in sides(case):
        if setting(facts, "wal_level") != "logical":
            yield _set(
                facts, side, "PMG450", "its log does not tell which rows changed", "wal_level", "logical", restart=True
            )


def slots_and_senders(case: Case) -> Iterator[Finding]:
    """Too few slots or senders: one for the stream, and for logical replication two more while tables are copied."""
    needed = 1 if case.dms else 3
    for side, facts in sides(case):
        for code, name, used in (
            ("PMG451", "max_replication_slots", "slots_used"),
            ("PMG452", "max_wal_senders", "senders_used"),
        ):
            taken = int(facts.server[used])
            if number(facts, name) - taken < needed:
                why = f"{taken} are in use and {needed} more are needed"
                yield _set(facts, side, code, why, name, str(taken + needed), restart=True)


def workers(case: Case) -> Iterator[Finding]:
    """Too few workers to apply changes: one for the stream and two that copy tables."""
    if case.dms:
        return
    for side, facts in sides(case):
        if number(facts, "max_logical_replication_workers") < 3:
            why = "one worker applies changes and two copy tables"
            yield _set(facts, side, "PMG453", why, "max_logical_replication_workers", "4", restart=True)
        elif number(facts, "max_worker_processes") < 4:
            why = "the replication's workers need room"
            yield _set(facts, side, "PMG453", why, "max_worker_processes", "8", restart=True)


def sender_timeout(case: Case) -> Iterator[Finding]:
    """A timeout that ends DMS's stream while DMS is busy applying."""
    if case.dms and 0 < number(case.source, "wal_sender_timeout") < 10_000:
        why = "DMS needs 10 s or more, during which it may be silent"
        yield _set(case.source, "source", "PMG454", why, "wal_sender_timeout", "'60s'", restart=False)


def log_cut_off(case: Case) -> Iterator[Finding]:
    """A limit past which a slot is lost, and with it the replication."""
    for side, facts in sides(case):
        if number(facts, "max_slot_wal_keep_size") >= 0 and setting(facts, "max_slot_wal_keep_size") is not None:
            why = "a slot that falls behind by more is dropped, and the load starts anew"
            yield _set(facts, side, "PMG455", why, "max_slot_wal_keep_size", "-1", False, WARNING)
        if number(facts, "idle_replication_slot_timeout") > 0:
            why = "a slot that rests for longer is dropped, and the load starts anew"
            yield _set(facts, side, "PMG455", why, "idle_replication_slot_timeout", "0", False, WARNING)


def prepared(case: Case) -> Iterator[Finding]:
    """A transaction that is prepared and neither committed nor rolled back."""
    for side, facts in sides(case):
        for row in facts.prepared:
            where = "" if row["here"] else f", in the database {row['database']} of the same server"
            yield Finding(
                "PMG456",
                ERROR,
                f"the transaction {row['gid']} of {row['owner']} on the {side} has been prepared for "
                f"{row['age']:.0f} s: the replication can't start and the fence can't close while it is open",
                _place(side),
                f"end it as its transaction manager says, by COMMIT PREPARED or ROLLBACK PREPARED{where}",
                side,
                (f"COMMIT PREPARED {row['literal']}",) if row["here"] else (),
            )


def long_transactions(case: Case) -> Iterator[Finding]:
    """A transaction that has been open for long."""
    for side, facts in sides(case):
        for row in facts.transactions:
            if row["age"] >= LONG_TRANSACTION:
                yield Finding(
                    "PMG457",
                    WARNING,
                    f"the transaction of {row['role']} (process {row['pid']}, {row['application'] or 'unnamed'}, "
                    f"{row['state']}) on the {side} has been open for {row['age']:.0f} s: "
                    f"{'' if row['has_written'] else 'once it writes, '}the start of the replication and the fence "
                    "wait for it",
                    _place(side),
                    "wait for its end, or end it",
                    side,
                    (f"SELECT pg_terminate_backend({row['pid']})",),
                )


def abandoned_slots(case: Case) -> Iterator[Finding]:
    """A slot that nobody reads and that keeps the log from being removed."""
    for side, facts in sides(case):
        for row in facts.slots:
            # One that paymig made may be paused: `paymig replicate status` tells of it.
            if not row["active"] and row["kept_bytes"] > _KEPT and not row["name"].startswith("paymig_"):
                yield Finding(
                    "PMG458",
                    WARNING,
                    f"nobody reads the slot {row['name']} on the {side}, which keeps {human(row['kept_bytes'])} "
                    "of log on its disk",
                    _place(side),
                    "drop it if its reader is gone",
                    side,
                    (f"SELECT pg_drop_replication_slot({row['literal']})",),
                )


def statement_timeout(case: Case) -> Iterator[Finding]:
    """A timeout that ends the copy of a large table."""
    for side, facts in sides(case):
        login = facts.server["login_ident"]
        for name in ("statement_timeout", "transaction_timeout"):
            if number(facts, name) > 0:
                yield Finding(
                    "PMG459",
                    ERROR,
                    f"{name} is {number(facts, name)} ms for {facts.server['login']} on the {side}: the copy of a "
                    "large table ends there",
                    _place(side),
                    "lift it for this login",
                    side,
                    (f"ALTER ROLE {login} SET {name} = 0",),
                )


def read_only(case: Case) -> Iterator[Finding]:
    """A standby, or a database that refuses writes by itself."""
    for side, facts in sides(case):
        if facts.server["in_recovery"]:
            yield Finding(
                "PMG460",
                ERROR,
                f"the {side} is a standby: the spec has to name the server that takes the writes",
                _place(side),
                "name the primary, or promote this one",
                side,
                ("SELECT pg_promote()",),
            )
        elif setting(facts, "default_transaction_read_only") == "on":
            yield Finding(
                "PMG460",
                ERROR,
                f"transactions of {facts.server['login']} are read-only on the {side}",
                _place(side),
                "lift it for this login",
                side,
                (f"ALTER ROLE {facts.server['login_ident']} SET default_transaction_read_only = off",),
            )


def tls(case: Case) -> Iterator[Finding]:
    """A connection without TLS, or a server that allows an old version of it."""
    for side, facts in sides(case):
        if not facts.server["encrypted"]:
            near = facts.server["loopback"]
            yield Finding(
                "PMG461",
                WARNING if near else ERROR,
                f"the connection to the {side} is not encrypted{', though it does not leave the machine' * near}",
                ("source", "database", "tls") if side == "source" else ("database",),
                "give the server a certificate (server.crt and server.key in its data folder) and switch TLS on",
                side,
                () if facts.server["managed"] else ("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"),
            )
        if setting(facts, "ssl_min_protocol_version") in ("", "TLSv1", "TLSv1.1"):
            yield _set(
                facts, side, "PMG462", "TLS 1.0 or 1.1 is allowed", "ssl_min_protocol_version", "'TLSv1.2'", False
            )
