"""A migration that is ready to move: loaded, replicating, with a journal of its own."""

import itertools
import json
import uuid
from contextlib import closing
from functools import cache

import psycopg2

from paymig.embedded.process import EmbeddedAws
from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.catalogue import read_sequences, read_tables
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.switchover import service
from runtime_lambdas.switchover.actions import Event
from runtime_lambdas.switchover.databases import Databases
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.settings import Settings
from tests.runtime_lambdas.replication.pair import INCLUDE, Pair, fill, until

_numbers = itertools.count(1)
WRITER = {"source": "application", "target": "api"}
ADA, GRACE = (f"arn:aws:iam::111122223333:user/{name}" for name in ("ada", "grace"))


@cache
def _session(aws: EmbeddedAws):
    """Return the session that all clients are made from: each one for itself would read the models anew."""
    return aws.session()


class Stage:
    """Operators, and what they leave."""

    def __init__(self, pair: Pair, aws: EmbeddedAws) -> None:
        self.pair = pair
        self._aws = aws
        self.dynamodb = self.connect("dynamodb")
        self.table = f"moves-{next(_numbers)}"
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

    def connect(self, service: str):
        """Return a client of AWS that shares nothing with another one."""
        return _session(self._aws).client(service, endpoint_url=self._aws.endpoint_url)

    def api_environment(self) -> dict[str, str]:
        """Return the environment of the payments API."""
        return self._aws.environment() | environment_of(
            self.pair, self.pair.name, self.table, self.connect("secretsmanager")
        )

    def journal(self, who: str = ADA) -> Journal:
        return Journal(self.dynamodb, self.table, self.pair.name, who)

    def databases(self, **changed) -> Databases:
        settings = Settings(**{**vars(self.settings), **changed})
        made = Databases(self.pair, self.pair.forward(), settings)
        self.open_ones.append(made)
        return made

    def move(self, wish: Wish, *, who: str = ADA, accept_loss=None, databases=None, **changed):
        """Run a command to its end."""
        self.events: list[Event] = []
        return service.move(
            self.journal(who),
            databases or self.databases(**changed),
            wish,
            budget=changed.get("pause_budget", self.settings.pause_budget),
            accept_loss=accept_loss,
            tell=self.events.append,
        )

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

    def ahead(self, side: str) -> bool:
        """Tell whether the sequences of a side are ahead of every key that either side has."""
        highest = "SELECT coalesce(max(id), 0) FROM transactions"
        base, other = getattr(self.pair, side), getattr(self.pair, {"source": "target", "target": "source"}[side])
        [(highest_there,)] = other.run(highest)  # asked first: it may follow
        return base.run(f"SELECT last_value >= greatest(({highest}), %s) FROM transactions_id_seq", highest_there) == [
            (True,)
        ]

    def equal(self) -> bool:
        return self.pair.source.digest() == self.pair.target.digest()

    def close(self) -> None:
        """Close what commands left open; the pair ends the way back, too."""
        for databases in self.open_ones:
            databases.close()
        self.pair.back(self.pair.forward())


def environment_of(logins, name: str, table: str, secrets) -> dict[str, str]:
    """Return the environment of the payments API of a migration, whose logins get secrets of its own."""
    given = {"PAYMIG_MIGRATION": name, "PAYMIG_JOURNAL_TABLE": table}
    for side, role in WRITER.items():
        login = logins.login(side, role)
        secret = secrets.create_secret(Name=str(uuid.uuid4()), SecretString=json.dumps(login.secret))
        known = {"HOST": login.server.host, "PORT": login.server.port, "NAME": login.server.name}
        known |= {"SECRET_ARN": secret["ARN"], "TLS": login.server.tls}
        given |= {f"{side.upper()}_{name}": str(value) for name, value in known.items()}
    return given


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


def from_elsewhere(base, sql):
    """Change a side as if that came from elsewhere: otherwise it would be replicated to the other one."""
    base.run(
        "SELECT pg_replication_origin_create('elsewhere'), pg_replication_origin_session_setup('elsewhere');"
        + sql
        # A session that has only been told to end would hold the origin a moment longer.
        + "; SELECT pg_replication_origin_session_reset(); SELECT pg_replication_origin_drop('elsewhere')"
    )
