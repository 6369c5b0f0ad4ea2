"""Tables that are not replicated as they are, and the foreign keys between them."""

from collections.abc import Iterator

from paymig.preflight.case import ERROR, NOTE, WARNING, Case, Finding, Name, sides


def unlogged(case: Case) -> Iterator[Finding]:
    """A table whose changes are not in the log."""
    for relation in case.source.relations:
        if relation["persistence"] == "u" and relation["kind"] == "r":
            yield Finding(
                "PMG405",
                ERROR,
                f"{relation['schema']}.{relation['name']} is unlogged: its changes are in no log, so nothing can "
                "replicate them",
                case.brought_in(relation["root_schema"], relation["root_name"]),
                "log it, which rewrites the table",
                sql=(f"ALTER TABLE {relation['ident']} SET LOGGED",),
            )


def partitioned(case: Case) -> Iterator[Finding]:
    """A partitioned table under DMS."""
    severity = case.severity(dms=ERROR, logical=None)
    if severity is None:
        return
    for table in case.source.tables:
        if table["kind"] == "partitioned":
            name = f"{table['schema']}.{table['name']}"
            yield Finding(
                "PMG406",
                severity,
                f"{name} is partitioned: DMS reads changes partition by partition and does not bring them together",
                case.brought_in(table["schema"], table["name"]),
                "choose `engine: logical`, which replicates it as one table, or exclude it",
            )


def same_but_for_case(case: Case) -> Iterator[Finding]:
    """Tables whose names differ in case alone, which DMS takes for one another."""
    severity = case.severity(dms=ERROR, logical=None)
    if severity is None:
        return
    alike: dict[Name, list[Name]] = {}
    for table in case.source.tables:
        name = table["schema"], table["name"]
        alike.setdefault((name[0].lower(), name[1].lower()), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            yield Finding(
                "PMG414",
                severity,
                f"{' and '.join(f'{schema}.{name}' for schema, name in names)} differ in case alone: DMS supports no "
                "two such tables",
                case.brought_in(*names[0]),
                "give one of them another name or exclude it, or choose `engine: logical`",
            )


def leaves_the_selection(case: Case) -> Iterator[Finding]:
    """A foreign key to a table that stays behind."""
    for key in case.source.foreign_keys:
        if key["from_chosen"] and not key["to_chosen"]:
            name = f"{key['to_schema']}.{key['to_table']}"
            yield Finding(
                "PMG409",
                ERROR,
                f"{key['schema']}.{key['table']} refers to {name} by {key['name']}, and {name} does not move: the "
                "key can't be made on the target",
                case.brought_in(key["schema"], key["table"]),
                f"add {name} to replication.tables.include, or drop the key",
                sql=(f"ALTER TABLE {key['ident']} DROP CONSTRAINT {key['name']}",),
            )
        elif key["to_chosen"] and not key["from_chosen"]:
            left, moved = f"{key['schema']}.{key['table']}", f"{key['to_schema']}.{key['to_table']}"
            yield Finding(
                "PMG409",
                WARNING,
                f"{left} refers to {moved} by {key['name']}, and stays behind: after the switchover nobody checks the "
                f"key, since {moved} follows the target then",
                case.brought_in(key["to_schema"], key["to_table"]),
                f"add {left} to replication.tables.include, or drop the key",
                sql=(f"ALTER TABLE {key['ident']} DROP CONSTRAINT {key['name']}",),
            )


def circle(case: Case) -> Iterator[Finding]:
    """Tables that refer to each other in a circle: no order loads them with their keys in force."""
    refers: dict[Name, set[Name]] = {}
    for key in case.source.foreign_keys:
        start, end = (key["schema"], key["table"]), (key["to_schema"], key["to_table"])
        if key["from_chosen"] and key["to_chosen"] and start != end:
            refers.setdefault(start, set()).add(end)
    in_circles = {name for name in refers if name in _reached(name, refers)}
    while in_circles:
        first = min(in_circles)
        members = sorted(
            name for name in in_circles if name in _reached(first, refers) and first in _reached(name, refers)
        )
        yield Finding(
            "PMG410",
            NOTE,
            f"{', '.join(f'{schema}.{name}' for schema, name in members)} refer to each other in a circle, so no order "
            "loads them with their foreign keys in force",
            case.brought_in(*first),
            "nothing to do: the keys are made after the load, as `paymig transfer-schema --section post-data` does",
        )
        in_circles -= set(members)


def load_order(tables: list[Name], refers: dict[Name, set[Name]]) -> list[Name]:
    """Return the tables with those that are referred to before those that refer to them, circles by name."""
    left, order = sorted(tables), list[Name]()
    while left:
        ready = [name for name in left if not (refers.get(name, set()) - {name}) & set(left)]
        order += ready or left[:1]
        left = [name for name in left if name not in order]
    return order


def _reached(start: Name, refers: dict[Name, set[Name]]) -> set[Name]:
    seen: set[Name] = set()
    ahead = list(refers.get(start, ()))
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += refers.get(name, ())
    return seen


def hidden_rows(case: Case) -> Iterator[Finding]:
    """A table of which the login sees some rows only."""
    for side, facts in sides(case):
        for relation in facts.relations:
            if relation["rows_hidden"]:
                schema, name = relation["root_schema"], relation["root_name"]
                yield Finding(
                    "PMG411",
                    ERROR,
                    f"row security hides rows of {relation['schema']}.{relation['name']} from {facts.server['login']} "
                    f"on the {side}: they would be neither copied nor compared",
                    case.brought_in(schema, name),
                    "let the login see every row",
                    side,
                    (f"ALTER ROLE {facts.server['login_ident']} BYPASSRLS",),
                )
