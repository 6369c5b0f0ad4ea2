"""What DMS does with rows, where the embedded AWS only says that it does: it stands in for DMS's own workers.

It asks the embedded DMS which tasks or serverless replications are running, logs in with their endpoints' secrets, and
carries rows as DMS does: for a load a copy at the snapshot of a slot of its own, for what follows test_decoding's text
from the slot that the endpoint names, by the selection rules and their filters, after the endpoint's script. Like one
whose error policies say STOP_TASK, it gives a task up at the first change that does not fit the row it finds.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extras import LogicalReplicationConnection

from paymig.embedded.plugin.dms.tables import selected

_EVERY = 0.05
_PIECE = re.compile(
    r"""(?P<name>"(?:[^"]|"")+"|\w+)\[(?P<type>.+?)\]:"""
    r"""(?P<value>null|unchanged-toast-datum|B?'(?:[^']|'')*'|[^\s']+)(?: |$)"""
)
_CHANGE = re.compile(
    r"table (?P<schema>[^.]+)\.(?P<table>[^:]+): (?P<act>INSERT|UPDATE|DELETE): (?P<values>.*)", re.DOTALL
)
_OLD = re.compile(r"old-key: (?P<old>.*) new-tuple: (?P<new>.*)", re.DOTALL)
_TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
_COLUMNS = """
SELECT quote_ident(attname), coalesce(attnum = ANY (i.indkey), false) FROM pg_attribute a
LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


class DoesNotFit(RuntimeError):
    """A change found no row, or one that it did not expect."""


class Work(NamedTuple):
    """What DMS moves rows by, a task or a serverless replication; its endpoints are named by their ARNs.

    Attributes:
        status: in DMS's words, as "running".
        began: where in the origin's log it was last told to begin; empty where it was not.
    """

    name: str
    arn: str
    status: str
    began: str
    source: str
    target: str
    mappings: str


def works(dms) -> Iterator[Work]:
    """Look up the tasks, and where there are none the serverless replications."""
    kind, found = "Task", dms.describe_replication_tasks()["ReplicationTasks"]
    if not found:
        kind, found = "Config", dms.describe_replications()["Replications"]
        configs = dms.describe_replication_configs()["ReplicationConfigs"] if found else []
        mappings = {one["ReplicationConfigArn"]: one["TableMappings"] for one in configs}
        found = [{**one, "TableMappings": mappings[one["ReplicationConfigArn"]]} for one in found]
    for one in found:
        yield Work(
            one[f"Replication{kind}Identifier"],
            one[f"Replication{kind}Arn"],
            one["Status"],
            one.get("CdcStartPosition", ""),
            one["SourceEndpointArn"],
            one["TargetEndpointArn"],
            one["TableMappings"],
        )


class Carrier:
    """Carries the rows of every running task until the block ends.

    Attributes:
        failures: by the task's identifier, why it was given up.
    """

    def __init__(self, client) -> None:
        """Take `client(service)` for the embedded AWS's clients."""
        self.failures: dict[str, str] = {}
        self._client = client
        self._streams: dict[str, _Stream] = {}
        self._loaded: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        for stream in self._streams.values():
            stream.close()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            for work in works(self._client("dms")):
                name = work.name
                if work.status != "running" or name in self.failures:
                    if name in self._streams:
                        self._streams.pop(name).close()
                    continue
                try:
                    if name not in self._streams:
                        self._streams[name] = _Stream(self._client, work, load=name not in self._loaded)
                        self._loaded.add(name)
                    self._streams[name].carry()
                except (DoesNotFit, psycopg2.Error) as error:
                    self.failures[name] = f"{type(error).__name__}: {error}"


class _Stream:
    """The rows of one task from its start to its stop."""

    def __init__(self, client, work: Work, *, load: bool) -> None:
        found = {one["EndpointArn"]: one for one in client("dms").describe_endpoints()["Endpoints"]}
        source, target = found[work.source], found[work.target]
        self._mappings = work.mappings
        self._login = _login(client, source)
        self._destination = psycopg2.connect(_login(client, target))
        with self._destination as opened, opened.cursor() as running:
            running.execute(target["PostgreSQLSettings"]["AfterConnectScript"])
        self._slot = source["PostgreSQLSettings"].get("SlotName", "")
        if not self._slot:
            self._slot = f"dms_{work.arn.rpartition(':')[2].lower()}"
            if load:
                self._load()
        self._changes: list[str] = []
        self._origin = psycopg2.connect(self._login, connection_factory=LogicalReplicationConnection)
        self._reading = self._origin.cursor()
        options = {"skip-empty-xacts": "1", "include-xids": "0"}
        self._reading.start_replication(slot_name=self._slot, decode=True, options=options)

    def close(self) -> None:
        self._origin.close()
        self._destination.close()

    def _load(self) -> None:
        """Copy every selected table as it is where the slot begins."""
        factory = LogicalReplicationConnection
        with closing(psycopg2.connect(self._login, connection_factory=factory)) as opened, opened.cursor() as making:
            making.execute(f"CREATE_REPLICATION_SLOT {self._slot} LOGICAL test_decoding EXPORT_SNAPSHOT")
            snapshot = making.fetchone()[2]
            with closing(psycopg2.connect(self._login)) as reading, reading.cursor() as ours:
                reading.set_session(isolation_level="REPEATABLE READ")
                ours.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
                ours.execute(_TABLES)
                for schema, table in ours.fetchall():
                    if selected(self._mappings, schema, table):
                        self._copy(ours, schema, table)

    def _copy(self, ours, schema: str, table: str) -> None:
        name = sql.Identifier(schema, table).as_string(ours)
        ours.execute(_COLUMNS, (name,))
        columns = ", ".join(column for column, _ in ours.fetchall())
        where = " AND ".join(f"{column} = '{value}'" for column, value in self._filters(schema, table).items())
        rows = io.BytesIO()
        ours.copy_expert(f"COPY (SELECT {columns} FROM {name} WHERE {where or 'true'}) TO STDOUT", rows)
        rows.seek(0)
        with self._destination as opened, opened.cursor() as theirs:
            theirs.copy_expert(f"COPY {name} ({columns}) FROM STDIN", rows)

    def carry(self) -> None:
        """Apply each transaction that was committed, and confirm it."""
        while (message := self._reading.read_message()) is not None:
            if message.payload.startswith("BEGIN"):
                self._changes = []
            elif message.payload.startswith("COMMIT"):
                with self._destination as opened, opened.cursor() as writing:
                    for change in self._changes:
                        self._apply(writing, change)
                self._reading.send_feedback(flush_lsn=message.data_start, force=True)
            else:
                self._changes.append(message.payload)

    def _apply(self, writing, change: str) -> None:
        found = _CHANGE.fullmatch(change)
        if found is None:
            raise DoesNotFit(f"not a change of a row: {change}")
        schema, table = found["schema"], found["table"]
        if not selected(self._mappings, schema, table):
            return
        values = found["values"]
        old = _OLD.fullmatch(values)
        now = _values(old["new"] if old else values)
        if any(now[column] != f"'{value}'" for column, value in self._filters(schema, table).items()):
            return
        writing.execute(_COLUMNS, (f"{schema}.{table}",))
        keys = [column for column, key in writing.fetchall() if key]
        before = _values(old["old"]) if old else {key: now[key] for key in keys}
        where = " AND ".join(f"{key} = {value}" for key, value in before.items())
        if found["act"] == "INSERT":
            columns, row = ", ".join(now), ", ".join(now.values())
            statement = f"INSERT INTO {schema}.{table} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({row})"
        elif found["act"] == "DELETE":
            statement = f"DELETE FROM {schema}.{table} WHERE {where}"
        else:
            changed = {
                name: value
                for name, value in now.items()
                if value != "unchanged-toast-datum" and before.get(name) != value
            }
            assigned = ", ".join(f"{name} = {value}" for name, value in changed.items())
            statement = f"UPDATE {schema}.{table} SET {assigned} WHERE {where}"
        writing.execute(statement)
        if writing.rowcount != 1:
            raise DoesNotFit(f"{writing.rowcount} rows for {change}")

    def _filters(self, schema: str, table: str) -> dict[str, str]:
        """Return what columns must hold for a row to be carried."""
        rules = json.loads(self._mappings)["rules"]
        place = {"schema-name": schema, "table-name": table}
        filters = [one for rule in rules if rule["object-locator"] == place for one in rule.get("filters", [])]
        return {one["column-name"]: one["filter-conditions"][0]["value"] for one in filters}


def _values(text: str) -> dict[str, str]:
    """Return a row's values as SQL, by quoted column."""
    found = {}
    position = 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise DoesNotFit(f"not understood: {text[position:]}")
        found[piece["name"]] = piece["value"]
        position = piece.end()
    return found


def _login(client, endpoint) -> str:
    """Return the libpq string of an endpoint, by its secret as it is now."""
    settings = endpoint["PostgreSQLSettings"]
    answer = client("secretsmanager").get_secret_value(SecretId=settings["SecretsManagerSecretId"])
    secret = json.loads(answer["SecretString"])
    return psycopg2.extensions.make_dsn(
        host=secret["host"],
        port=secret["port"],
        dbname=endpoint["DatabaseName"],
        user=secret["username"],
        password=secret["password"],
    )
