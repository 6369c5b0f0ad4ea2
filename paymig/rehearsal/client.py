"""A client of the payments API, which keeps the receipt of every payment it was promised."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from paymig.embedded.process import EmbeddedAws
from paymig.errors import PaymigError

_HTTPS = 443


class BrokenPromise(PaymigError):
    """The API or the database did not keep what a rehearsal must be able to rely on."""


@dataclass
class Client:
    """Calls the API through the embedded load balancer, over HTTP.

    Attributes:
        receipts: amount in minor units by payment id, for every payment the API acknowledged.
    """

    embedded: EmbeddedAws
    host: str
    receipts: dict[str, int] = field(default_factory=dict)

    def health(self) -> dict[str, Any]:
        """Ask for the API's health.

        Raises:
            BrokenPromise: it is not healthy.
        """
        return self._call("GET", "/health", expect=(200,))

    def pay(self, amount: int) -> str:
        """Make a payment twice under one idempotency key, as a client that lost the first answer would.

        Returns:
            The payment's id.

        Raises:
            BrokenPromise: refused, or the repetition made another payment.
        """
        order = json.dumps({"amount": amount, "currency": "EUR", "merchant": "rehearsal"})
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
        first = self._call("POST", "/payments", order, headers)
        again = self._call("POST", "/payments", order, headers)
        if first["id"] != again["id"]:
            raise BrokenPromise(f"one idempotency key made two payments: {first['id']} and {again['id']}")
        self.receipts[first["id"]] = amount
        return str(first["id"])

    def read(self, payment: str) -> dict[str, Any]:
        """Read a payment back.

        Raises:
            BrokenPromise: it is not there.
        """
        return self._call("GET", f"/payments/{payment}", expect=(200,))

    def _call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        expect: tuple[int, ...] = (200, 201),
    ) -> dict[str, Any]:
        response = self.embedded.alb_request(method, self.host, path, body=body, headers=headers, port=_HTTPS)
        text = response.read().decode()
        if response.status not in expect:
            raise BrokenPromise(f"{method} {path} answered {response.status}: {text}")
        answer: dict[str, Any] = json.loads(text)
        return answer


def prove(dsn: str, receipts: dict[str, int]) -> int:
    """Look every acknowledged payment up in the writer: there once, with its amount, the ledger in balance.

    Returns:
        How many payments were found.

    Raises:
        BrokenPromise: one is missing, doubled or different, or the ledger does not balance.
    """
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT id::text, amount FROM payments")
            rows = cursor.fetchall()
            cursor.execute("SELECT currency, sum(amount) FROM transactions GROUP BY currency HAVING sum(amount) <> 0")
            unbalanced = cursor.fetchall()
    finally:
        connection.close()
    found = dict(rows)
    wrong = sorted(id_ for id_, amount in receipts.items() if found.get(id_) != amount)
    if wrong or len(rows) != len(receipts) or unbalanced:
        raise BrokenPromise(
            f"{len(receipts)} payments were acknowledged and {len(rows)} stand in the writer; "
            f"missing or different: {', '.join(wrong) or 'none'}; out of balance: {unbalanced or 'none'}"
        )
    return len(rows)
