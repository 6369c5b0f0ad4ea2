"""The built-in workload: payments, refunds, reads, and requests repeated by clients that lost the first answer."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from paymig.rehearsal.workload import Finding, Receipt, Request

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_SHARES = {"payment": 60, "read": 25, "refund": 10, "repeat": 5}
_CURRENCIES = ("EUR", "USD", "JPY", "TND")
_REMEMBERED = 5000
_NAMED = 3
"""Problems of one sort that are named one by one; the rest is counted."""


class Payments:
    """Pays, refunds at most once each, reads back what was acknowledged, and repeats some of it."""

    def __init__(self) -> None:
        self._made: list[Receipt] = []
        self._refundable: list[Receipt] = []

    def next(self, random: Random) -> Request:
        """Choose by the shares; before there is anything to read, everybody pays."""
        [kind] = random.choices(list(_SHARES), list(_SHARES.values()))
        if kind == "refund" and self._refundable:
            paid = self._refundable.pop(random.randrange(len(self._refundable)))
            amount = random.choice(
                (paid.request.expected["amount"], random.randint(1, paid.request.expected["amount"]))
            )
            return Request(
                "refund",
                "POST",
                f"/payments/{paid.answer['id']}/refunds",
                json.dumps({"amount": amount}),
                str(uuid.UUID(int=random.getrandbits(128), version=4)),
                {"payment": paid.answer["id"], "amount": amount},
            )
        if kind in ("read", "repeat") and self._made:
            paid = random.choice(self._made)
            if kind == "read":
                return Request("read", "GET", f"/payments/{paid.answer['id']}", expected=dict(paid.request.expected))
            again = paid.request
            return Request("repeat", again.method, again.path, again.body, again.key, {"id": paid.answer["id"]})
        amount, currency = random.randint(1, 100_000), random.choice(_CURRENCIES)
        merchant = f"rehearsal-{random.randrange(50)}"
        return Request(
            "payment",
            "POST",
            "/payments",
            json.dumps({"amount": amount, "currency": currency, "merchant": merchant}),
            str(uuid.UUID(int=random.getrandbits(128), version=4)),
            {"amount": amount, "currency": currency},
        )

    def answered(self, request: Request, answer: dict[str, Any]) -> str | None:
        """Remember payments; compare whatever else came back with what was promised."""
        if request.kind == "repeat":
            if answer["id"] != request.expected["id"]:
                return f"one idempotency key made two payments: {request.expected['id']} and {answer['id']}"
            return None
        wrong = [name for name, value in request.expected.items() if name != "payment" and answer.get(name) != value]
        if wrong:
            return f"{request.kind} {request.path} answered another {' and '.join(wrong)}: {answer}"
        if request.kind == "payment":
            receipt = Receipt(request, answer)
            self._refundable.append(receipt)
            self._made.append(receipt)
            if len(self._made) > _REMEMBERED:
                del self._made[: _REMEMBERED // 2], self._refundable[: -_REMEMBERED // 2]
        return None

    def prove(self, running: cursor, receipts: Sequence[Receipt], unknown: Sequence[Request]) -> Finding:
        """Look up payments and refunds by id and by key, and let the ledger add up."""
        problems: list[str] = []
        found = 0
        known = {request.key for request in unknown}
        for kind, query in (
            (
                "payment",
                "SELECT id::text, idempotency_key, amount, currency FROM payments WHERE merchant LIKE 'rehearsal-%'",
            ),
            ("refund", "SELECT id::text, idempotency_key, amount, payment_id::text FROM refunds"),
        ):
            running.execute(query)
            rows = running.fetchall()
            promised = {r.answer["id"]: r for r in receipts if r.request.kind == kind}
            found += _look_up(kind, rows, promised, known, problems)
        problems += _ledger(running)
        return Finding(found, tuple(problems))


def _look_up(
    kind: str,
    rows: Sequence[tuple[str, str, int, str]],
    promised: dict[str, Receipt],
    unknown: set[str | None],
    problems: list[str],
) -> int:
    stored = {id_: (key, amount, other) for id_, key, amount, other in rows}
    field = "currency" if kind == "payment" else "payment"
    missing, different = [], []
    for id_, receipt in promised.items():
        wanted = (receipt.request.key, receipt.request.expected["amount"], receipt.request.expected[field])
        if id_ not in stored:
            missing.append(id_)
        elif stored[id_] != wanted:
            different.append(f"{id_} is {stored[id_]}, promised was {wanted}")
    keys = Counter(key for key, _, _ in stored.values())
    doubled = [f"{key} {times} times" for key, times in keys.items() if times > 1]
    strange = [id_ for id_, (key, _, _) in stored.items() if id_ not in promised and key not in unknown]
    for what, cases in (
        (f"acknowledged {kind}s are not in the writer", missing),
        (f"{kind}s are not as acknowledged", different),
        (f"idempotency keys made more than one {kind}", doubled),
        (f"{kind}s are in the writer and nobody was promised them", strange),
    ):
        if cases:
            more = f" and {len(cases) - _NAMED} more" if len(cases) > _NAMED else ""
            problems.append(f"{len(cases)} {what}: {'; '.join(cases[:_NAMED])}{more}")
    return len(promised) - len(missing) - len(different)


def _ledger(running: cursor) -> list[str]:
    problems = []
    running.execute("SELECT currency, sum(amount) FROM transactions GROUP BY 1 HAVING sum(amount) <> 0 ORDER BY 1")
    problems += [f"the ledger of {currency} is out of balance by {amount}" for currency, amount in running.fetchall()]
    running.execute(
        "SELECT count(*) FROM (SELECT p.id FROM payments p LEFT JOIN transactions t ON t.payment_id = p.id"
        " GROUP BY p.id HAVING coalesce(sum(t.amount) FILTER (WHERE t.account = 'clearing'), 0) <>"
        " p.amount - (SELECT coalesce(sum(r.amount), 0) FROM refunds r WHERE r.payment_id = p.id)) broken"
    )
    [(broken,)] = running.fetchall()
    if broken:
        problems.append(f"{broken} payments and their refunds do not add up to their ledger lines")
    return problems
