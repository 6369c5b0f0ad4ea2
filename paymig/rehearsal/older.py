"""What stands in the source before the load begins: put there, and looked up again at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor

_FILL = """
WITH made AS (
  INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status, created_at)
  SELECT 'older-' || n, md5(n::text), 'older', 1 + n %% 99991, (ARRAY['EUR', 'USD', 'JPY'])[1 + n %% 3],
         'captured', timestamptz '2026-01-01' + n * interval '1 second'
  FROM generate_series(1, %s) n
  RETURNING id, amount, currency
)
INSERT INTO transactions (payment_id, account, amount, currency)
SELECT id, account, sign * amount, currency
FROM made, (VALUES ('clearing', 1), ('merchant:older', -1)) line(account, sign)
"""

_DIGESTS = {
    "payments": """
SELECT count(*), sum(hashtextextended(concat_ws(' ', id, idempotency_key, amount, currency, created_at), 0)::numeric)
FROM payments WHERE merchant = 'older'
""",
    "transactions": """
SELECT count(*), sum(hashtextextended(concat_ws(' ', t.id, payment_id, account, t.amount), 0)::numeric)
FROM transactions t JOIN payments p ON p.id = t.payment_id WHERE p.merchant = 'older'
""",
}


def fill(running: cursor, payments: int) -> None:
    """Put payments and their ledger lines into the built-in tables."""
    running.execute(_FILL, (payments,))


@dataclass(frozen=True)
class Older:
    """The older rows.

    Attributes:
        digests: rows and digest by table; of an operator's own schema there are none.
    """

    digests: dict[str, tuple[int, str]]

    @classmethod
    def read(cls, running: cursor, tables: Sequence[str] = tuple(_DIGESTS)) -> Older:
        """Read the older rows of the built-in tables."""
        found = {}
        for table in tables:
            running.execute(_DIGESTS[table])
            [(rows, digest)] = running.fetchall()
            found[table] = (int(rows), str(digest))
        return cls(found)

    def differences(self, now: Older) -> list[str]:
        """Tell what became of them, as sentences."""
        return [
            f"the {found[0]} older rows of {table} are not what they were ({now.digests[table][0]} now)"
            for table, found in self.digests.items()
            if now.digests[table] != found
        ]
