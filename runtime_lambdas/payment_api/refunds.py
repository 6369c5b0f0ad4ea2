"""Refunds in the database: each is made in one transaction, once for each idempotency key, never beyond its payment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor

from .ledger import KeyReused
from .order import RefundOrder

_COLUMNS = "id::text, payment_id::text, request_digest, amount, created_at"
# The row lock makes rival refunds of one payment come one after the other, each seeing what the one before left.
_LOCK = "SELECT amount, currency, merchant FROM payments WHERE id = %s FOR UPDATE"
_INSERT = f"""
INSERT INTO refunds (payment_id, idempotency_key, request_digest, amount)
VALUES (%s, %s, %s, %s)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant
_EARLIER = f"SELECT {_COLUMNS} FROM refunds WHERE idempotency_key = %s"  # noqa: S608 - a constant
_LINES = """
INSERT INTO transactions (payment_id, account, amount, currency)
VALUES (%(payment)s, 'clearing', -%(amount)s, %(currency)s), (%(payment)s, %(payee)s, %(amount)s, %(currency)s)
"""


class NoSuchPayment(LookupError):
    """There is no payment with this id."""


class TooMuch(Exception):
    """The refunds of a payment would add up to more than it: `left` is what may still be refunded."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


@dataclass(frozen=True)
class Refund:
    """A refund as it was made; `amount` is in the smallest unit of its payment's currency."""

    id: str
    payment_id: str
    request_digest: str
    amount: int
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return what clients see of it."""
        return {
            "id": self.id,
            "payment_id": self.payment_id,
            "amount": self.amount,
            "created_at": self.created_at.isoformat(),
        }


def refund(running: cursor, payment: UUID, key: str, order: RefundOrder) -> tuple[Refund, bool]:
    """Refund a part or the whole of a payment, or find the refund already made under this key.

    Returns:
        The refund, and whether this call made it.

    Raises:
        NoSuchPayment: There is nothing to refund.
        TooMuch: Less than that is left of the payment.
        KeyReused: The key belongs to another refund.
    """
    running.execute(_LOCK, (str(payment),))
    row = running.fetchone()
    if row is None:
        raise NoSuchPayment
    whole, currency, merchant = row
    running.execute(_INSERT, (str(payment), key, order.digest(payment), order.amount))
    made = running.fetchone()
    if made is None:
        earlier = find_refund(running, payment, key, order)
        if earlier is None:
            raise LookupError("a refund vanished between two statements: nothing in this API deletes refunds")
        return earlier
    running.execute("SELECT sum(amount)::bigint FROM refunds WHERE payment_id = %s", (str(payment),))
    refunded = running.fetchone()
    total = int(refunded[0]) if refunded else order.amount
    if total > whole:
        raise TooMuch(whole - (total - order.amount))
    payee = f"merchant:{merchant}"
    running.execute(_LINES, {"payment": str(payment), "amount": order.amount, "currency": currency, "payee": payee})
    if total == whole:
        running.execute("UPDATE payments SET status = 'refunded' WHERE id = %s", (str(payment),))
    return Refund(*made), True


def find_refund(running: cursor, payment: UUID, key: str, order: RefundOrder) -> tuple[Refund, bool] | None:
    """Return what `refund` would return for a key that has its refund already, or None.

    Raises:
        KeyReused: The key belongs to another refund.
    """
    running.execute(_EARLIER, (key,))
    row = running.fetchone()
    if row is None:
        return None
    earlier = Refund(*row)
    if earlier.request_digest != order.digest(payment):
        raise KeyReused
    return earlier, False
