"""Who may do what on the source: what the migration's login needs, and whom the fence has to stop."""

from collections.abc import Iterator

from paymig.preflight.case import ERROR, NOTE, WARNING, Case, Finding
from paymig.preflight.rules.sequences import moving
from runtime_lambdas.runtime.facts import Row
from schemas.diagnostics import SpecPath

_LOGIN: SpecPath = ("source", "database", "secret")


def _application(case: Case) -> Row | None:
    return next((role for role in case.source.roles if role["name"] == case.application), None)


def may_replicate(case: Case) -> Iterator[Finding]:
    """The migration's login can't open a replication stream."""
    server = case.source.server
    if not server["may_replicate"]:
        grant = f"GRANT rds_replication TO {server['login_ident']}"
        yield Finding(
            "PMG470",
            ERROR,
            f"{server['login']} may not replicate from the source",
            _LOGIN,
            "allow it",
            sql=(grant if server["managed"] else f"ALTER ROLE {server['login_ident']} REPLICATION",),
        )


def may_subscribe(case: Case) -> Iterator[Finding]:
    """The migration's login can't make the subscription of the way back."""
    server = case.source.server
    if case.dms or server["may_subscribe"]:
        return
    ident = server["login_ident"]
    newer = server["version"] >= 160000
    older = f"GRANT rds_superuser TO {ident}" if server["managed"] else f"ALTER ROLE {ident} SUPERUSER"
    yield Finding(
        "PMG477",
        ERROR,
        f"{server['login']} may not subscribe on the source, as the way back does",
        _LOGIN,
        "allow it" if newer else "allow it, which before version 16 takes a superuser",
        sql=(f"GRANT pg_create_subscription TO {ident}" if newer else older,),
    )


def may_create(case: Case) -> Iterator[Finding]:
    """The migration's login can't make the schema that paymig keeps its heartbeat in, nor publish."""
    server = case.source.server
    if not server["may_create"]:
        yield Finding(
            "PMG478",
            ERROR,
            f"{server['login']} may not create anything in the database {server['database']} of the source: neither "
            "the schema paymig, of its heartbeat, nor a publication",
            _LOGIN,
            "allow it",
            sql=(f"GRANT CREATE ON DATABASE {server['database_ident']} TO {server['login_ident']}",),
        )


def owns(case: Case) -> Iterator[Finding]:
    """The migration's login is no owner: it can't publish, fence, or apply changes on the way back."""
    server = case.source.server
    for owner, ident in sorted(
        {(row["owner"], row["owner_ident"]) for row in case.source.relations if not row["may_own"]}
    ):
        if owner == case.application:
            continue  # PMG472 says what to do with it
        tables = [row for row in case.source.relations if row["owner"] == owner]
        first = tables[0]
        yield Finding(
            "PMG471",
            ERROR,
            f"{owner} owns {first['schema']}.{first['name']}{_more(len(tables))}, and {server['login']} is no "
            "member of it: it can neither publish nor fence them",
            case.brought_in(first["root_schema"], first["root_name"]),
            "let it act as the owner",
            sql=(f"GRANT {ident} TO {server['login_ident']}",),
        )
    for row in moving(case):
        if not row["may_own"] and not row["owned_by"]:  # one that a column owns has the owner of its table
            yield Finding(
                "PMG471",
                ERROR,
                f"{row['owner']} owns the sequence {row['schema']}.{row['name']}, and {server['login']} is no member "
                "of it: it can neither read where it stands nor fence it",
                ("replication", "tables"),
                "let it act as the owner",
                sql=(f"GRANT {row['owner_ident']} TO {server['login_ident']}",),
            )


def application_owns(case: Case) -> Iterator[Finding]:
    """The application's role owns tables, and an owner passes the fence by granting to itself."""
    role, server = _application(case), case.source.server
    if role is None or role["superuser"]:
        return
    tables = [row for row in case.source.relations if row["owner"] == case.application]
    if tables:
        own = server["login"] == case.application
        schemas = sorted({row["ident"].removesuffix(f".{row['ident'].rpartition('.')[2]}") for row in tables})
        owner = "paymig_owner" if own else server["login_ident"]
        statements = [f"CREATE ROLE {owner} NOLOGIN"] if own else []
        # Foreign keys are checked with the rights of the tables' owner.
        statements += [f"GRANT USAGE ON SCHEMA {schema} TO {owner}" for schema in schemas]
        for row in tables:
            statements += [
                f"ALTER TABLE {row['ident']} OWNER TO {owner}",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {row['ident']} TO {role['ident']}",
            ]
        for sequence in case.source.sequences:
            if sequence["feeds_chosen"]:
                statements.append(f"GRANT USAGE ON SEQUENCE {sequence['ident']} TO {role['ident']}")
        first = tables[0]
        yield Finding(
            "PMG472",
            ERROR,
            f"the application's role {case.application} owns {first['schema']}.{first['name']}{_more(len(tables))}: "
            "what is taken from an owner it can grant to itself again, and the way back is written as the owner",
            case.brought_in(first["root_schema"], first["root_name"]),
            "give them to a role that the application is no member of, whose login is source.database.admin_secret",
            sql=tuple(statements),
        )
    elif role["member_of_owner"]:
        yield Finding(
            "PMG472",
            ERROR,
            f"the application's role {case.application} is a member of the role that owns its tables, and so passes "
            "the fence",
            _LOGIN,
            "take the membership from it",
            sql=tuple(role["leave_owners"]),
        )


def application_is_mighty(case: Case) -> Iterator[Finding]:
    """The application's role passes every fence."""
    role = _application(case)
    if role is None:
        return
    if role["superuser"]:
        yield Finding(
            "PMG473",
            ERROR,
            f"the application's role {case.application} is a superuser: no fence stops it",
            _LOGIN,
            "let the application be an ordinary role",
            sql=(f"ALTER ROLE {role['ident']} NOSUPERUSER",),
        )
    if role["powers"]:
        yield Finding(
            "PMG473",
            ERROR,
            f"the application's role {case.application} is a member of {' and '.join(role['powers'])}: no fence stops "
            "it",
            _LOGIN,
            "give it the tables it needs instead",
            sql=tuple(role["leave_powers"]),
        )


def others_write(case: Case) -> Iterator[Finding]:
    """Who may write besides the application: the fence has to stop them too, or can't."""
    server = case.source.server
    for role in case.source.roles:
        if not role["login"] or role["own"] or role["builtin"] or role["name"] == case.application:
            continue
        if role["superuser"] or role["powers"]:
            power = role["powers"][0] if role["powers"] else None
            yield Finding(
                "PMG474",
                WARNING,
                f"{role['name']} may log in and write whatever the fence says, as "
                f"{f'a member of {power}' if power else 'a superuser'}",
                ("source", "database"),
                "keep it from logging in during the switchover",
                sql=(f"ALTER ROLE {role['ident']} NOLOGIN",),
            )
        elif role["owns"] or role["member_of_owner"]:
            yield Finding(
                "PMG474",
                WARNING,
                f"{role['name']} may log in, and owns tables or is a member of their owner: it can undo the fence",
                ("source", "database"),
                "keep it from logging in during the switchover",
                sql=(f"ALTER ROLE {role['ident']} NOLOGIN",),
            )
        elif role["writes"]:
            yield Finding(
                "PMG474",
                NOTE,
                f"{role['name']} may log in and write {role['writes']} of the tables: the fence stops it like the "
                "application",
                ("source", "database"),
                "nothing to do, if it is meant to write",
            )
    public = [row for row in case.source.relations if row["public_writes"]]
    if public:
        yield Finding(
            "PMG475",
            WARNING,
            f"everybody may write {public[0]['schema']}.{public[0]['name']}{_more(len(public))}: the right is "
            "PUBLIC's, and taking it from a role changes nothing; the fence takes it from everybody for the pause",
            case.brought_in(public[0]["root_schema"], public[0]["root_name"]),
            f"take it from PUBLIC and give it to {case.application} or {server['login']} by name",
            sql=tuple(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {row['ident']} FROM PUBLIC" for row in public),
        )


def truncates(case: Case) -> Iterator[Finding]:
    """The application may TRUNCATE, which DMS does not replicate."""
    role = _application(case)
    if not case.dms or role is None or not role["truncates"]:
        return
    tables = role["truncates"]
    yield Finding(
        "PMG476",
        WARNING,
        f"{case.application} may TRUNCATE {tables[0]['table']}{_more(len(tables))}: DMS may not carry it, and the "
        "rows stay on the target",
        _LOGIN,
        "let it DELETE instead",
        sql=tuple(f"REVOKE TRUNCATE ON {each['table']} FROM {each['from']}" for each in tables if each["from"]),
    )


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
