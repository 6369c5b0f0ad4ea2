"""Payments in the database: each is made in one transaction, once for each idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor

from .order import Order

_COLUMNS = "id::text, request_digest, amount, currency, merchant, reference, status, created_at"
_SELECT = f"SELECT {_COLUMNS} FROM payments"  # noqa: S608 - a constant
_INSERT = f"""
INSERT INTO payments (idempotency_key, request_digest, amount, currency, merchant, reference, status)
VALUES (%s, %s, %s, %s, %s, %s, 'captured')
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant


class KeyReused(Exception):
    """The idempotency key belongs to a payment that was asked for in other words."""


@dataclass(frozen=True)
class Payment:
    """A payment as it was made."""

    id: str
    request_digest: str
    amount: int
    currency: str
    merchant: str
    reference: str | None
    status: str
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return what clients see of it."""
        return {
            "id": self.id,
            "amount": self.amount,
            "currency": self.currency,
            "merchant": self.merchant,
            "reference": self.reference,
            "status": self.status,
            "created_at": self.created_at.isoformat(),
        }


def pay(running: cursor, key: str, order: Order) -> tuple[Payment, bool]:
    """Make a payment, or find the one already made under this key.

    Returns:
        The payment, and whether this call made it.

    Raises:
        KeyReused: The key belongs to another order.
    """
    # A rival under the same key makes this statement wait for its commit, and then do nothing.
    values = (key, order.digest, order.amount, order.currency, order.merchant, order.reference)
    running.execute(_INSERT, values)
    row = running.fetchone()
    if row is None:
        earlier = find_by_key(running, key, order)
        if earlier is None:
            raise LookupError("a payment vanished between two statements: nothing in this API deletes payments")
        return earlier
    payment = Payment(*row)
    running.execute(
        "INSERT INTO transactions (payment_id, account, amount, currency)"
        " VALUES (%(payment)s, 'clearing', %(amount)s, %(currency)s),"
        " (%(payment)s, %(payee)s, -%(amount)s, %(currency)s)",
        {
            "payment": payment.id,
            "amount": order.amount,
            "currency": order.currency,
            "payee": f"merchant:{order.merchant}",
        },
    )
    return payment, True


def find_by_key(running: cursor, key: str, order: Order) -> tuple[Payment, bool] | None:
    """Return what `pay` would return for a key that has its payment already, or None.

    Raises:
        KeyReused: The key belongs to another order.
    """
    running.execute(_SELECT + " WHERE idempotency_key = %s", (key,))
    row = running.fetchone()
    if row is None:
        return None
    payment = Payment(*row)
    if payment.request_digest != order.digest:
        raise KeyReused
    return payment, False


def find(running: cursor, payment: UUID) -> Payment | None:
    """Return a payment by its id."""
    running.execute(_SELECT + " WHERE id = %s", (str(payment),))
    row = running.fetchone()
    return Payment(*row) if row else None
