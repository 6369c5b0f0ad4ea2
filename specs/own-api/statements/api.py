"""GET /statements/{merchant} and GET /health, answered from the database that is the writer at the moment.

The layer brings psycopg2, the connections to both databases (`database`) and the one that accepts writes (`writer`).
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2.extensions import cursor

from runtime_lambdas.runtime import database, writer

_TOTALS = """
SELECT currency, count(*), sum(amount)
FROM payments WHERE merchant = %s AND status = 'captured'
GROUP BY currency ORDER BY currency LIMIT %s
"""


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Answer one request of the load balancer."""
    try:
        match event["httpMethod"], event["path"].strip("/").split("/"):
            case "GET", ["health"]:
                _ask("SELECT 1", ())
                now = writer.current()
                return _answer(200, {"status": "ok", "writer": now.side, "epoch": now.epoch})
            case "GET", ["statements", merchant]:
                rows = _ask(_TOTALS, (merchant, int(os.environ.get("STATEMENT_CURRENCIES", "20"))))
                totals = [{"currency": row[0], "payments": row[1], "amount": int(row[2])} for row in rows]
                return _answer(200, {"merchant": merchant, "totals": totals})
            case _:
                return _answer(404, {"detail": "There is GET /statements/{merchant} and GET /health."})
    except (psycopg2.OperationalError, writer.WriterUnknown):
        writer.forget()
        return _answer(503, {"detail": "The database can't be reached. Repeat the request."})


def _ask(sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    def work(running: cursor) -> list[tuple[Any, ...]]:
        running.execute(sql, values)
        return running.fetchall()

    return database.transact(writer.current().side, work)


def _answer(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "isBase64Encoded": False,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
        },
        "body": json.dumps(body),
    }
