"""A migration that is ready to move: loaded, replicating, with a journal of its own."""

import itertools
import threading
import uuid
from contextlib import closing

import psycopg2

from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.catalogue import read_sequences, read_tables
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.switchover.databases import Databases
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.ledger import JournalLedger
from runtime_lambdas.switchover.run import Run
from runtime_lambdas.switchover.settings import Settings
from tests.runtime_lambdas.replication.pair import INCLUDE, Pair, fill, until

_numbers = itertools.count(1)
WRITER = {"source": "application", "target": "api"}
OWNER = {"source": "admin", "target": "control"}


class Stage:
    """Operators, and what they leave."""

    def __init__(self, pair: Pair, dynamodb) -> None:
        self.pair = pair
        self.connect = dynamodb
        self.dynamodb = dynamodb()
        self.table = f"journal-{next(_numbers)}"
        self.settings = Settings(pair.name, INCLUDE, (), sequence_gap=1000, pause_budget=10.0)
        self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("migration", "item")],
            KeySchema=[
                {"AttributeName": "migration", "KeyType": "HASH"},
                {"AttributeName": "item", "KeyType": "RANGE"},
            ],
        )
        self.open_ones: list[Databases] = []

    def load(self, rows: int = 200) -> None:
        """Load the target, and let its API read."""
        fill(self.pair.source, rows)
        engine = self.pair.forward()
        engine.prepare()
        engine.start()
        until(lambda: engine.progress().loaded, 300)

        def act(cursor) -> None:
            tables = read_tables(cursor, INCLUDE)
            roles.grant_reading(cursor, self.pair, tables, read_sequences(cursor, tables))

        self.pair.target.transact("control", act)

    def journal(self, who: str = "arn:aws:iam::111122223333:user/ada") -> Journal:
        return Journal(self.dynamodb, self.table, self.pair.name, who)

    def databases(self, **changed) -> Databases:
        settings = Settings(**{**vars(self.settings), **changed})
        made = Databases(self.pair, self.pair.forward(), settings)
        self.open_ones.append(made)
        return made

    def move(self, wish: Wish, *, accept_loss=None, databases=None, over=False, **changed):
        """Run a command to its end."""
        journal = self.journal()
        databases = databases or self.databases(**changed)
        events = []
        with hold(journal, str(wish), over=over) as held:
            run = Run(
                JournalLedger(journal, held.lease),
                databases,
                wish,
                budget=changed.get("pause_budget", self.settings.pause_budget),
                accept_loss=accept_loss,
                tell=events.append,
            )
            outcome = run.finish()
        self.events = events
        databases.close()
        return outcome

    def steps(self) -> list[str]:
        return [f"{entry.step} {entry.kind}" for entry in self.journal().entries()]

    def may_write(self, side: str) -> bool:
        """Make a payment as the application, and take it back."""
        login = self.pair.login(side, WRITER[side])
        with closing(login.open()) as connection, connection.cursor() as cursor:
            try:
                pay(cursor, str(uuid.uuid4()))
            except psycopg2.errors.InsufficientPrivilege:
                return False
            finally:
                connection.rollback()
            return True

    def writers(self) -> list[str]:
        return [side for side in ("source", "target") if self.may_write(side)]

    def equal(self) -> bool:
        return self.pair.source.digest() == self.pair.target.digest()

    def close(self) -> None:
        for databases in self.open_ones:
            databases.close()


def pay(cursor, key: str) -> None:
    """Make a payment with its two lines, as the payments API does."""
    cursor.execute(
        "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
        " VALUES (%s, 'x', 'shop', 100, 'EUR', 'captured') ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
        (key,),
    )
    row = cursor.fetchone()
    if row is not None:
        cursor.execute(
            "INSERT INTO transactions (payment_id, account, amount, currency)"
            " VALUES (%s, 'clearing', 100, 'EUR'), (%s, 'merchant', -100, 'EUR')",
            (row[0], row[0]),
        )


class Clients:
    """Applications that pay all the time at whichever database takes it, each payment under one key until it is known.

    Attributes:
        promised: the keys whose payment was acknowledged.
        gaps: seconds between two acknowledged payments of one client.
    """

    def __init__(self, stage: Stage, number: int = 2, pause: float = 0.002) -> None:
        self.promised: list[str] = []
        self.gaps: list[float] = []
        self.errors: list[str] = []
        self._stage, self._pause = stage, pause
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._live, daemon=True) for _ in range(number)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _live(self) -> None:
        import time

        sides, side, last = {}, "source", time.monotonic()
        key = str(uuid.uuid4())
        while not self._ended.is_set():
            try:
                if side not in sides:
                    sides[side] = self._stage.pair.login(side, WRITER[side]).open()
                with sides[side] as connection, connection.cursor() as cursor:
                    pay(cursor, key)
            except psycopg2.errors.InsufficientPrivilege:
                side = {"source": "target", "target": "source"}[side]
                time.sleep(0.005)
                continue
            except psycopg2.OperationalError as error:
                self.errors.append(str(error))
                sides.pop(side, None)
                time.sleep(0.01)
                continue
            now = time.monotonic()
            self.promised.append(key)
            self.gaps.append(now - last)
            last, key = now, str(uuid.uuid4())
            time.sleep(self._pause)
        for connection in sides.values():
            connection.close()

    def prove(self, side: str) -> None:
        """Look every acknowledged payment up at the writer: there once, and the ledger in balance."""
        rows = self._stage.pair
        found = getattr(rows, side).run(
            "SELECT count(*), count(DISTINCT idempotency_key) FROM payments WHERE idempotency_key = ANY (%s)",
            self.promised,
        )
        assert found == [(len(self.promised), len(self.promised))]
        unbalanced = "SELECT p.id FROM payments p LEFT JOIN transactions t ON t.payment_id = p.id"
        unbalanced += " WHERE idempotency_key = ANY (%s) GROUP BY 1 HAVING coalesce(sum(t.amount), 1) <> 0"
        assert getattr(rows, side).run(unbalanced, self.promised) == []
        [(ahead,)] = getattr(rows, side).run(
            "SELECT (SELECT last_value FROM transactions_id_seq) >= (SELECT coalesce(max(id), 0) FROM transactions)"
        )
        assert ahead
