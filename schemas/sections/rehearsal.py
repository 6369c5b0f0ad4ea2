"""What a rehearsal plays with instead of what is built in: `rehearsal`."""

from schemas.sections.base import Section, optional


class Rehearsal(Section):
    """The operator's own schema, clients and old API for `paymig rehearse`; AWS never sees them."""

    schema_file: str | None = optional(
        None,
        "SQL that makes the source's tables, with rows if you like, as `pg_dump --no-owner --no-privileges` writes it.",
        "rehearsal/dump.sql",
        alias="schema",
    )
    workload: str | None = optional(
        None, "A Python file with a class Workload: what clients do, and how it is proved.", "rehearsal/load.py"
    )
    old_api: str | None = optional(
        None, "A Python file with a class OldApi, which answers for the API of today.", "rehearsal/old_api.py"
    )
