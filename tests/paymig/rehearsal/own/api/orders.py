"""The new API: the same orders, by the runtime helper, which finds the writer and holds requests while it moves."""

import json

from runtime_lambdas.runtime.at_writer import Paused, Unreachable, at_writer

ORDER = (
    "INSERT INTO shop.orders VALUES (%s, %s, %s, %s) ON CONFLICT (key) DO UPDATE SET key = excluded.key"
    " RETURNING item, pieces"
)


def handler(event, context):
    """Answer a request of the load balancer."""
    if (event["httpMethod"], event["path"]) != ("POST", "/orders"):
        return answer(200 if event["path"] == "/health" else 404, {})
    order, key = json.loads(event["body"]), event["headers"]["idempotency-key"]
    try:
        item, pieces = at_writer(
            lambda cursor: take(cursor, key, order, context.function_name), settle=lambda cursor: find(cursor, key)
        )
    except (Paused, Unreachable):
        return answer(503, {"detail": "Repeat with the same Idempotency-Key."})
    return answer(201, {"item": item, "pieces": pieces})


def take(cursor, key, order, taker):
    """Take an order once for each key."""
    cursor.execute(ORDER, (key, order["item"], order["pieces"], taker))
    return cursor.fetchone()


def find(cursor, key):
    """Find an order; None where there is none."""
    cursor.execute("SELECT item, pieces FROM shop.orders WHERE key = %s", (key,))
    return cursor.fetchone()


def answer(status, content):
    """Write it as the load balancer wants it."""
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(content)}
