"""The API of today, for a rehearsal: takes orders in front of the source, and refuses them while it is fenced."""

import json
from contextlib import closing

import psycopg2

ORDER = (
    "INSERT INTO shop.orders VALUES (%s, %s, %s, 'the old API') ON CONFLICT (key) DO UPDATE SET key = excluded.key"
    " RETURNING item, pieces"
)


class OldApi:
    """One connection for each request: simple, and safe in threads."""

    def __init__(self, dsn):
        """Keep the application's login."""
        self._dsn = dsn

    def answer(self, method, path, key, body):
        """Take an order once for each key."""
        if (method, path) != ("POST", "/orders"):
            return 404, {"detail": "There is no such resource."}
        order = json.loads(body)
        try:
            with closing(psycopg2.connect(self._dsn)) as connection, connection, connection.cursor() as cursor:
                cursor.execute(ORDER, (key, order["item"], order["pieces"]))
                [(item, pieces)] = cursor.fetchall()
        except psycopg2.Error as error:
            return 503, {"detail": f"Try again: {type(error).__name__}."}
        return 201, {"item": item, "pieces": pieces}
