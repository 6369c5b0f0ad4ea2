"""What the steps of a rehearsal act on: the stage, the clients, and the operators who type."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from paymig.aws import weights
from paymig.aws.weights import Record, Weights
from paymig.deploy import record_of
from paymig.errors import PaymigError
from paymig.journal.opening import open_journal
from paymig.rehearsal.clients import Clients
from paymig.rehearsal.older import Older, fill
from paymig.rehearsal.operator import Operator, Typed
from paymig.rehearsal.options import Options
from paymig.rehearsal.scenario import peopled
from paymig.rehearsal.stage import Stage
from runtime_lambdas.runtime.catalogue import read_tables
from runtime_lambdas.runtime.writer import Side
from schemas.load import Spec

HTTPS = 443
_WARM = 4


class BrokenPromise(PaymigError):
    """Something did not keep what a rehearsal must be able to rely on."""


class Play:
    """One rehearsal that is going on.

    Args:
        spec: the operator's, or what a scenario made of it.
        stage: where.
        options: size and speed.
        workplace: the folder in which the operators type.
        hear: gets every line that a command prints.
        clients: who pay.
        environment: whose overlay of the spec is meant; None for the spec as it stands.
    """

    def __init__(
        self,
        spec: Spec,
        stage: Stage,
        options: Options,
        workplace: Path,
        hear: Callable[[str], None],
        clients: Clients,
        environment: str | None = None,
    ) -> None:
        self.spec = spec
        self.migration = spec.migration
        self.stage = stage
        self.options = options
        self.workplace = workplace
        self.clients = clients
        self.meant = () if environment is None else ("--environment", environment)
        self.typed: list[Typed] = []
        self.listeners: list[Callable[[str], None]] = [hear]
        self.operator = Operator(workplace, stage.embedded.environment(), self._heard)
        self.older = Older({})
        self.comparison: dict[str, Any] | None = None
        self.replicating = False
        self.given_up: list[tuple[float, float]] = []
        """From when until when what was acknowledged may be lost, since the operator said so; wall clock, seconds."""
        self.allowed: tuple[int, ...] = ()
        self.rival: Callable[..., None] | None = None

    @property
    def record(self) -> Record:
        """The weighted record."""
        return record_of(self.migration)

    @property
    def peopled(self) -> bool:
        """Whether clients know how to use this spec's API."""
        return peopled(self.migration)

    @cached_property
    def second_person(self) -> Operator:
        """Somebody else, whom AWS knows by another name."""
        granted = self.stage.aws.client("sts").get_federation_token(Name="second-person")["Credentials"]
        session = {
            "AWS_ACCESS_KEY_ID": granted["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": granted["SecretAccessKey"],
            "AWS_SESSION_TOKEN": granted["SessionToken"],
        }
        return Operator(self.workplace, {**self.stage.embedded.environment(), **session}, self._heard)

    def type(self, command: str, *options: str, exits: Sequence[int] = (0,), by: Operator | None = None) -> Typed:
        """Type a command.

        Raises:
            BrokenPromise: it ended with another code than one of `exits`, or of `allowed` where the step says so.
        """
        arguments = (*command.split(), self.spec.file, *self.meant, *options)
        other = threading.Thread(target=self.rival, args=arguments) if self.rival is not None else None
        if other is not None:
            other.start()
        done = (by or self.operator).type(*arguments)
        if other is not None:
            other.join()
        self.typed.append(done)
        accepted = self.allowed if self.allowed and by is None else exits
        if done.exit_code not in accepted:
            wanted = " or ".join(str(code) for code in accepted)
            end = "\n".join(done.output.splitlines()[-12:])
            raise BrokenPromise(f"{done.command} ended with {done.exit_code}, not {wanted}:\n{end}")
        return done

    def weights(self) -> Weights:
        """Read the live weights; before there is a pair, everybody goes to the old side."""
        return weights.look(self.stage.aws, self.record) or Weights.to_new(0)

    def writer(self) -> Side:
        """Read who the writer is."""
        return open_journal(self.stage.aws, self.migration.full_name).writer().side

    def dsn(self, side: Side) -> str:
        """Return a superuser's way into a database."""
        return self.stage.source_dsn if side == "source" else self.stage.target_dsn

    def tables(self, side: Side) -> list[sql.Identifier]:
        """Return the names of the tables that move."""
        patterns = self.migration.replication.tables
        with closing(psycopg2.connect(self.dsn(side))) as connection, connection.cursor() as cursor:
            found = read_tables(cursor, patterns.include, patterns.exclude)
            return [sql.Identifier(table.schema, table.name) for table in found]

    def fill(self) -> None:
        """Put the older payments into the built-in tables of the source."""
        connection = psycopg2.connect(self.stage.source_dsn)
        try:
            with connection, connection.cursor() as cursor:
                fill(cursor, self.options.rows)
                self.older = Older.read(cursor)
                cursor.execute("ANALYZE")
        finally:
            connection.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let clients come, for as long as the block runs, where there are any."""
        if not self.peopled:
            self.clients.file.touch()
            yield
            return
        with self.clients.coming(self.stage, self.migration, self.record, self.options):
            yield

    def open_new_api(self, host: str) -> None:
        """Tell clients the new API's name, once its execution environments are warm, as provisioned ones are."""
        if not self.peopled:
            return
        with ThreadPoolExecutor(_WARM) as pool:
            answers = list(pool.map(lambda _: self._health(host), range(_WARM)))
        if any(status >= 500 for status in answers):
            raise BrokenPromise(f"GET /health answered {answers}")
        self.clients.learn(f"{host}:{HTTPS}")

    def _health(self, host: str) -> int:
        with self.stage.embedded.alb_request("GET", host, "/health", port=HTTPS) as response:
            response.read()
            return int(response.status)

    def bake(self, seconds: float) -> None:
        """Let time pass while clients come and go."""
        time.sleep(seconds)

    @contextmanager
    def terms(self, **variables: str) -> Iterator[None]:
        """Let the commands that are typed in the block know how the rehearsal departs from the spec."""
        before: Mapping[str, str] = dict(self.operator.variables)
        self.operator.variables |= variables
        try:
            yield
        finally:
            self.operator.variables = dict(before)

    def _heard(self, line: str) -> None:
        for listener in tuple(self.listeners):
            listener(line)
