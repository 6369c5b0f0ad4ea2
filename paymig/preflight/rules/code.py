"""Code in the database: what would run once more on the other side, and what passes the fence."""

from collections.abc import Iterator

from paymig.preflight.case import ERROR, NOTE, WARNING, Case, Finding, sides

_ALWAYS = "AR"  # ENABLE ALWAYS, ENABLE REPLICA; an ordinary one rests while a replica is written


def triggers(case: Case) -> Iterator[Finding]:
    """A trigger that fires for replicated rows too: both engines write as a replica."""
    for side, facts in sides(case):
        for row in facts.triggers:
            if row["enabled"] in _ALWAYS:
                advice, act = _mend(row["enabled"])
                yield Finding(
                    "PMG430",
                    ERROR,
                    f"the trigger {row['name']} of {row['schema']}.{row['table']} on the {side} fires for replicated "
                    "rows too: what it did on one side it does once more on the other",
                    case.brought_in(row["schema"], row["table"]),
                    advice,
                    side,
                    (f"ALTER TABLE {row['ident']} {act} TRIGGER {row['name']}",),
                )


def _mend(enabled: str) -> tuple[str, str]:
    # What is for replicas alone never did anything for the application, and must not begin to.
    if enabled == "R":
        return "switch it off: it is for replicated rows alone", "DISABLE"
    return "let it heed the application's own writes only", "ENABLE"


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
                advice, act = _mend(row["enabled"])
                yield Finding(
                    "PMG432",
                    ERROR,
                    f"the rule {row['name']} of {row['schema']}.{row['table']} on the {side} rewrites DMS's writes too",
                    case.brought_in(row["schema"], row["table"]),
                    advice,
                    side,
                    (f"ALTER TABLE {row['ident']} {act} RULE {row['name']}",),
                )


def passes_the_fence(case: Case) -> Iterator[Finding]:
    """A function that writes with its owner's rights."""
    for row in case.source.functions:
        callers = ["PUBLIC"] if row["public_executes"] else []
        callers += row["granted"]
        if not callers or not row["may_write"] or row["volatile"] != "v":
            continue
        kind = "PROCEDURE" if row["kind"] == "p" else "FUNCTION"
        login = case.source.server["login"]
        why = (
            "the fence takes that from them for the pause, also where the call would only read"
            if row["may_own"]
            else f"{login} is no member of {row['owner']} and can't take that from them, so they pass the fence"
        )
        yield Finding(
            "PMG433",
            NOTE if row["may_own"] else ERROR,
            f"{row['ident']} runs with the rights of {row['owner']} and may write, and {', '.join(callers)} can call "
            f"it: {why}",
            ("source", "database"),
            "let it run with its caller's rights",
            sql=(f"ALTER {kind} {row['ident']} SECURITY INVOKER",),
        )
