"""Sequences, which no engine replicates: the switchover sets them past a gap."""

from collections.abc import Iterator

from paymig.preflight.case import ERROR, NOTE, WARNING, Case, Finding
from runtime_lambdas.runtime.facts import Row

_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def moving(case: Case) -> Iterator[Row]:
    """Yield the sequences that move with the tables."""
    for row in case.source.sequences:
        fed = row["owned_by"] or row["called_by"]
        if row["feeds_chosen"] if fed else row["in_chosen_schema"]:
            yield row


def unowned(case: Case) -> Iterator[Finding]:
    """A sequence that no column owns."""
    for row in case.source.sequences:
        if row["owned_by"]:
            continue
        name, place = f"{row['schema']}.{row['name']}", ("replication", "tables")
        if row["called_by"] and row["feeds_chosen"]:
            yield Finding(
                "PMG440",
                NOTE,
                f"the sequence {name} belongs to no column, though the default of {row['called_by']} calls it; it "
                "moves with that table",
                place,
                "say whose it is" if row["may_belong"] else "nothing to do: they have two owners, or two schemas",
                sql=(f"ALTER SEQUENCE {row['ident']} OWNED BY {row['called_by']}",) if row["may_belong"] else (),
            )
        elif not row["called_by"] and row["in_chosen_schema"]:
            yield Finding(
                "PMG440",
                NOTE,
                f"the sequence {name} belongs to no column: it moves because tables of its schema do",
                place,
                "drop it if nobody calls it",
                sql=(f"DROP SEQUENCE {row['ident']}",),
            )
        elif not row["called_by"]:
            yield Finding(
                "PMG440",
                WARNING,
                f"the sequence {name} belongs to no column, and no table of its schema moves: it stays behind",
                place,
                "if a function that moves calls it, put it into the schema of the tables",
            )


def near_the_end(case: Case) -> Iterator[Finding]:
    """A sequence without room for the gap."""
    gap = case.migration.cutover.switchover.sequence_gap
    for row in moving(case):
        last = row["start"] if row["last"] is None else row["last"]
        step, ident = row["increment"], row["ident"]
        wanted, end = last + gap * step, row["maximum"] if step > 0 else row["minimum"]
        ends, statements = f"ends at {end}", list[str]()
        if not row["minimum"] <= wanted <= row["maximum"]:
            grown = "" if _fits(row["type"], wanted) else "AS bigint "
            statements.append(f"ALTER SEQUENCE {ident} {grown}NO {'MAXVALUE' if step > 0 else 'MINVALUE'}")
        if not _fits(row["fed_type"], wanted):
            table, _, column = (row["owned_by"] or row["called_by"]).rpartition(".")
            statements.insert(0, f"ALTER TABLE {table} ALTER COLUMN {column} TYPE bigint")
            ends = ends if len(statements) > 1 else f"feeds {table}.{column}, of type {row['fed_type']}"
        if statements:
            yield Finding(
                "PMG441",
                ERROR,
                f"the sequence {row['schema']}.{row['name']} stands at {last} and {ends}: the switchover's gap of "
                f"{gap} steps of {step} does not fit",
                ("cutover", "switchover", "sequence_gap"),
                "give it room, or choose a smaller gap",
                sql=tuple(statements),
            )


def _fits(kind: str | None, number: int) -> bool:
    """Whether a number is one of a type of whole numbers; of any other type, and of none, it always is."""
    return kind not in _LARGEST or -_LARGEST[kind] - 1 <= number <= _LARGEST[kind]


def starts_over(case: Case) -> Iterator[Finding]:
    """A sequence that gives its numbers again."""
    for row in moving(case):
        if row["cycle"]:
            yield Finding(
                "PMG442",
                WARNING,
                f"the sequence {row['schema']}.{row['name']} starts over at its end: no position is past every number "
                "that it gave",
                ("cutover", "switchover", "sequence_gap"),
                "let it end",
                sql=(f"ALTER SEQUENCE {row['ident']} NO CYCLE",),
            )
