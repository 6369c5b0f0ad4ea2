"""Code in the database: what would run once more on the other side, and what passes the fence."""

from collections.abc import Iterator

from paymig.preflight.case import ERROR, WARNING, Case, Finding, sides

_ALWAYS = "AR"  # ENABLE ALWAYS, ENABLE REPLICA; an ordinary one rests while a replica is written


def triggers(case: Case) -> Iterator[Finding]:
    """A trigger that fires for replicated rows too: both engines write as a replica."""
    for side, facts in sides(case):
        for row in facts.triggers:
            if row["enabled"] in _ALWAYS:
                yield Finding(
                    "PMG430",
                    ERROR,
                    f"the trigger {row['name']} of {row['schema']}.{row['table']} on the {side} fires for replicated "
                    "rows too: what it did on one side it does once more on the other",
                    case.brought_in(row["schema"], row["table"]),
                    "let it fire for the application's own writes only",
                    side,
                    (f"ALTER TABLE {row['ident']} ENABLE TRIGGER {row['name']}",),
                )


def event_triggers(case: Case) -> Iterator[Finding]:
    """An event trigger, which fires for the schema's transfer and for what paymig creates."""
    for side, facts in sides(case):
        for row in facts.event_triggers:
            if row["enabled"] != "D":
                yield Finding(
                    "PMG431",
                    WARNING,
                    f"the event trigger {row['name']} ({row['event']}) on the {side} fires for what paymig creates "
                    "and changes there",
                    ("source", "database") if side == "source" else ("database",),
                    "let it rest during the migration if it does more than watch",
                    side,
                    (f"ALTER EVENT TRIGGER {row['name']} DISABLE",),
                )


def rules(case: Case) -> Iterator[Finding]:
    """A rewrite rule that applies to replicated rows too."""
    for side, facts in sides(case):
        for row in facts.rules:
            if row["enabled"] in _ALWAYS and case.dms:
                yield Finding(
                    "PMG432",
                    ERROR,
                    f"the rule {row['name']} of {row['schema']}.{row['table']} on the {side} rewrites DMS's writes too",
                    case.brought_in(row["schema"], row["table"]),
                    "let it apply to the application's own writes only",
                    side,
                    (f"ALTER TABLE {row['ident']} ENABLE RULE {row['name']}",),
                )


def passes_the_fence(case: Case) -> Iterator[Finding]:
    """A function that writes with its owner's rights."""
    for row in case.source.functions:
        callers = ["PUBLIC"] if row["public_executes"] else []
        callers += row["granted"]
        if not callers or not row["may_write"] or row["volatile"] != "v":
            continue
        kind = "PROCEDURE" if row["kind"] == "p" else "FUNCTION"
        yield Finding(
            "PMG433",
            ERROR,
            f"{row['ident']} runs with the rights of {row['owner']} and may write: {', '.join(callers)} can call it "
            "and so pass the fence",
            ("source", "database"),
            "let it run with its caller's rights",
            sql=(f"ALTER {kind} {row['ident']} SECURITY INVOKER",),
        )
