"""Bringing the source's schema to the target, once or as often as it takes."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extensions import cursor

from paymig.errors import Refused
from paymig.schema_transfer import contents
from paymig.schema_transfer.contents import Oid
from paymig.schema_transfer.tools import Tools, find_tools
from runtime_lambdas.runtime.catalogue_diff import PRE_DATA, Difference, Kind, definitions, diff_catalogues
from runtime_lambdas.runtime.logins import Login

Section = Literal["pre-data", "post-data"]

_JOBS = 4
_DUMP = [
    "--schema-only",
    "--format=custom",
    "--no-owner",
    "--no-privileges",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--exclude-schema=paymig",
    "--exclude-schema=awsdms_control",
    "--exclude-table=*.awsdms_*",
    "--lock-wait-timeout=10s",
]


@dataclass(frozen=True)
class Transferred:
    """How it ended.

    Attributes:
        outcome: "made", or "unchanged" when the target lacked nothing.
        objects: how many entries of the dump were restored.
        extra: what exists on the target only.
        major: the version of pg_dump that was used.
    """

    section: Section
    outcome: Literal["made", "unchanged"]
    objects: int
    extra: tuple[Difference, ...]
    major: int

    @property
    def evidence(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        return {"outcome": self.outcome, "objects": self.objects}


def transfer(source: Login, target: Login, section: Section) -> Transferred:
    """Make a section of the source's schema on the target; what is there already is left alone.

    pre-data is one transaction. post-data is built by several connections at once; where one fails, what is made stays,
    and the next call makes the rest.

    Args:
        source: the login that owns the tables.
        target: the master, who owns what is made until the roles are given theirs.
        section: "pre-data" before rows are loaded, "post-data" after it.

    Raises:
        Refused: there is no suitable pg_dump, the target holds something else, or the server refused a statement.
        psycopg2.OperationalError: a side is unreachable.
    """
    with _cursor(source) as ours, _cursor(target) as theirs:
        tools = find_tools(ours.connection.server_version // 10000, source)
        if section == "pre-data":
            return _before(tools, source, target, ours, theirs)
        return _after(tools, source, target, ours, theirs)


@contextmanager
def _cursor(login: Login) -> Iterator[cursor]:
    with closing(login.open()) as opened, opened.cursor() as running:
        yield running


@contextmanager
def _dumped(tools: Tools, source: Login) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="paymig-schema-") as folder:
        dump = Path(folder, "dump")
        tools.run("pg_dump", [*_DUMP, f"--file={dump}"], source)
        yield dump


def _restore(tools: Tools, target: Login, dump: Path, listed: str, *how: str) -> int:
    chosen = dump.with_name("list")
    chosen.write_text(listed)
    common = [f"--use-list={chosen}", "--no-owner", "--no-privileges", "--exit-on-error", "--dbname="]
    tools.run("pg_restore", [*common, *how, str(dump)], target)
    return listed.count("\n")


def _section(tools: Tools, dump: Path, name: Section) -> list[contents.Entry]:
    return contents.entries(tools.run("pg_restore", ["--list", f"--section={name}", str(dump)]))


def _before(tools: Tools, source: Login, target: Login, ours: cursor, theirs: cursor) -> Transferred:
    found = _differ(ours, theirs, PRE_DATA)
    made = 0
    if _lacking(found):
        _refuse_halves(ours, theirs, found)
        keys = _oids(ours, _KEYS)
        with _dumped(tools, source) as dump:
            listed = contents.before_the_load(
                _section(tools, dump, "pre-data"), _section(tools, dump, "post-data"), keys, _names(ours, _KEY_PARTS)
            )
            made = _restore(tools, target, dump, listed, "--single-transaction")
        found = _differ(ours, theirs, PRE_DATA)
        _refuse(_lacking(found))
    return Transferred("pre-data", "made" if made else "unchanged", made, _extra(found), tools.major)


def _after(tools: Tools, source: Login, target: Login, ours: cursor, theirs: cursor) -> Transferred:
    _refuse(_lacking(_differ(ours, theirs, PRE_DATA)))
    missing: set[Oid] = set()
    for kind, query in _POST_DATA.items():
        lacks = definitions(ours, kind, True).keys() - definitions(theirs, kind, True).keys()
        ours.execute(_RELATION + query)
        missing |= {(catalogue, oid) for name, catalogue, oid in ours.fetchall() if name in lacks}
    attach = set(_names(ours, _PARTS)) - set(_names(theirs, _PARTS))
    for side in (ours, theirs):
        side.connection.rollback()
    made = 0
    if missing or attach:
        with _dumped(tools, source) as dump:
            listed = contents.after_the_load(_section(tools, dump, "post-data"), missing, attach)
            made = _restore(tools, target, dump, listed, f"--jobs={_JOBS}")
    made += _fill_views(ours, theirs)
    found = _differ(ours, theirs, None)
    _refuse(_lacking(found))
    return Transferred("post-data", "made" if made else "unchanged", made, _extra(found), tools.major)


def _fill_views(ours: cursor, theirs: cursor) -> int:
    """Fill the materialized views that hold rows on the source and none on the target, the older ones first."""
    ours.execute(_VIEWS)
    filled = [name for name, populated in ours.fetchall() if populated]
    theirs.execute(_VIEWS)
    empty = {name for name, populated in theirs.fetchall() if not populated}
    names = [name for name in filled if name in empty]
    for name in names:
        theirs.execute(sql.SQL("REFRESH MATERIALIZED VIEW ") + sql.SQL(name))
        theirs.connection.commit()
    ours.connection.rollback()
    theirs.connection.rollback()
    return len(names)


def _differ(ours: cursor, theirs: cursor, kinds: Collection[Kind] | None) -> list[Difference]:
    found = diff_catalogues(ours, theirs, kinds)
    for side in (ours, theirs):
        side.connection.rollback()  # no lock is kept while the tools work
    return found


def _lacking(found: list[Difference]) -> list[Difference]:
    return [difference for difference in found if difference.source is not None]


def _extra(found: list[Difference]) -> tuple[Difference, ...]:
    return tuple(difference for difference in found if difference.source is None)


def _refuse(found: list[Difference]) -> None:
    if found:
        raise Refused(
            "the target's schema is not the source's:\n" + _lines(found),
            "make them the same by hand, then run this again",
        )


def _refuse_halves(ours: cursor, theirs: cursor, found: list[Difference]) -> None:
    """Refuse a target that has a part of the tables already: what is made at once can't be there by half."""
    tables = definitions(ours, "table", True).keys() & definitions(theirs, "table", True).keys()
    for side in (ours, theirs):
        side.connection.rollback()
    if tables:
        raise Refused(
            f"the target has {len(tables)} of the source's tables already, and is not the same:\n"
            + _lines(_lacking(found)),
            "make them the same by hand, or drop what is on the target (it holds no payments yet), and run this again",
        )


def _lines(found: list[Difference], most: int = 20) -> str:
    lines = [f"  {difference.message}" for difference in found[:most]]
    return "\n".join([*lines, *([f"  and {len(found) - most} more"] if len(found) > most else [])])


def _oids(running: cursor, query: str) -> set[Oid]:
    running.execute(query)
    found = {(catalogue, oid) for catalogue, oid in running.fetchall()}
    running.connection.rollback()
    return found


def _names(running: cursor, query: str) -> list[str]:
    running.execute(query)
    return [row[0] for row in running.fetchall()]


# A primary key, or an index that is a replica identity, with the constraint that it may belong to.
_KEYS = """
SELECT 2606, k.oid::bigint FROM pg_constraint k WHERE k.contype = 'p'
UNION SELECT 1259, i.indexrelid::bigint FROM pg_index i WHERE i.indisreplident
UNION SELECT 2606, k.oid::bigint FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid
WHERE i.indisreplident AND k.contype = 'u'
"""

_KEY_PARTS = """
SELECT n.nspname || ' ' || x.relname FROM pg_inherits h JOIN pg_class x ON x.oid = h.inhrelid
JOIN pg_namespace n ON n.oid = x.relnamespace JOIN pg_index i ON i.indexrelid = x.oid
WHERE i.indisprimary OR i.indisreplident
"""

_PARTS = """
SELECT n.nspname || ' ' || x.relname FROM pg_inherits h
JOIN pg_class x ON x.oid = h.inhrelid AND x.relkind IN ('i', 'I')
JOIN pg_namespace n ON n.oid = x.relnamespace
"""

_VIEWS = """
SELECT format('%I.%I', n.nspname, c.relname), c.relispopulated FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' ORDER BY c.oid
"""

_RELATION = """
WITH relation AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS ident
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
)
"""

# Named as in `catalogue_diff`, with the oids by which the dump knows them.
_POST_DATA: Mapping[Kind, str] = {
    "constraint": """
SELECT format('%s.%I', c.ident, k.conname), 2606, k.oid::bigint
FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid
""",
    "index": """
SELECT format('%s.%I', c.ident, x.relname), 1259, x.oid::bigint
FROM pg_index i JOIN relation c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
""",
    "trigger": """
SELECT format('%s.%I', c.ident, t.tgname), 2620, t.oid::bigint
FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid
""",
    "rule": """
SELECT format('%s.%I', c.ident, w.rulename), 2618, w.oid::bigint
FROM pg_rewrite w JOIN relation c ON c.oid = w.ev_class
""",
    "policy": """
SELECT format('%s.%I', c.ident, p.polname), 3256, p.oid::bigint
FROM pg_policy p JOIN relation c ON c.oid = p.polrelid
""",
    "statistics": """
SELECT format('%I.%I', n.nspname, s.stxname), 3381, s.oid::bigint
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
""",
    "event trigger": "SELECT quote_ident(evtname), 3466, oid::bigint FROM pg_event_trigger",
}
