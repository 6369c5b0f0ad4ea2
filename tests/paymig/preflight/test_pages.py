"""What a page of docs/diagnostics shows for a finding of preflight is what is printed for the SQL above it."""

import re
from itertools import product

import pytest
from psycopg2.errors import InsufficientPrivilege

from paymig.embedded.postgres import Postgres
from schemas.codes import CODES
from tests.paymig.preflight.pairs import MINIMAL, Pair, clean, fresh, page, said

IN_RULES = {
    "PMG450",
    "PMG451",
    "PMG452",
    "PMG453",
    "PMG454",
    "PMG455",
    "PMG461",
    "PMG462",
    "PMG481",
    "PMG482",
    "PMG483",
}
"""What takes servers or databases of their own: tests of `test_rules.py` bring it about, and look at the page."""
CHANGING = {
    "PMG401": "the name of a database",
    "PMG456": "seconds",
    "PMG457": "a process",
    "PMG458": "the log that is kept",
    "PMG478": "the name of a database",
    "PMG480": "the version of a server",
    "PMG484": "the version of an extension",
    "PMG490": "the size of tables",
    "PMG491": "the driver's words",
}
"""What no two runs say word for word, because of this in it."""


@pytest.mark.parametrize(
    "code", [code for code in CODES if code.startswith("PMG4") and code not in IN_RULES | CHANGING.keys()]
)
def test_a_page_shows_what_is_printed_for_its_sql(servers: dict[str, Postgres], code: str) -> None:
    """With one of the engines, and on the source or on both sides; a comment above is of the spec's `replication`."""
    sql, shown = page(code)
    lines = "".join(f"  {line}\n" for line in re.findall(r"^-- (.*)$", sql, re.MULTILINE))
    printed = []
    for sides, engine in product((("source",), ("source", "target")), ("logical", "dms")):
        pair = Pair(
            servers, fresh("payments"), f"{MINIMAL}replication:\n  engine: {engine}\n{lines if engine == 'dms' else ''}"
        )
        try:
            for side in sides:
                run_as_owner(pair, side, sql)
            printed += [said(found) for found in pair.judge("target" in sides) if found.code == code]
        finally:
            clean(pair)
        if shown in printed:
            return
    assert printed == [shown]


def run_as_owner(pair: Pair, side: str, sql: str) -> None:
    """Run SQL as the tables' owner, or where that takes more as the superuser."""
    try:
        pair.run(side, f"SET ROLE mover; {sql}")
    except InsufficientPrivilege:
        pair.run(side, sql)
