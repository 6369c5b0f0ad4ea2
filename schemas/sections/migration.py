"""How the data moves and is watched: `replication`, `validation`, `monitoring`."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.sections.base import Section, optional, required, subsection
from schemas.sections.scalars import Duration, Percentage, Size

TablePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_%][\w%$]*\.[A-Za-z_%][\w%$]*$")]
"""`schema.table`, where % stands for any characters."""


class ReplicationInstance(Section):
    """A provisioned DMS instance."""

    instance_class: Annotated[str, StringConstraints(pattern=r"^dms\.[a-z0-9]+\.[a-z0-9]+$")] = optional(
        "dms.r6i.large", "The instance class.", alias="class"
    )
    storage: Size = optional("100GiB", "Space for cached changes: 5GiB to 6144GiB.")
    multi_az: bool = optional(True, "Whether a standby waits in another zone.")


class ServerlessReplication(Section):
    """DMS Serverless capacity."""

    min: Literal[1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384] = optional(1, "The least capacity, in DMS capacity units.")
    max: Literal[1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384] = optional(16, "The most capacity, in DMS capacity units.")


class Tables(Section):
    """Which tables move."""

    include: Annotated[list[TablePattern], Field(min_length=1)] = optional(["public.%"], "Patterns of tables to move.")
    exclude: list[TablePattern] = optional([], "Patterns of tables to leave.", ["public.tmp_%"])


class LargeObjects(Section):
    """How DMS moves large columns (text, bytea, json)."""

    mode: Literal["limited", "inline", "full"] = optional(
        "limited", "`limited` refuses to grow past `max`, `inline` moves small ones fast, `full` moves all, slowly."
    )
    max: Size = optional("64MiB", "The largest value that is moved whole in `limited` mode: 1KiB to 100MiB.")


class Replication(Section):
    """The engine that keeps the target equal to the source."""

    engine: Literal["dms", "logical"] = optional("dms", "AWS DMS, or PostgreSQL's own logical replication.")
    instance: ReplicationInstance | None = optional(
        None,
        "A provisioned DMS instance; the default one where neither this nor `serverless` is given.",
        {"class": "dms.r6i.large"},
    )
    serverless: ServerlessReplication | None = optional(
        None, "DMS Serverless instead of an instance.", {"min": 1, "max": 16}
    )
    tables: Tables = subsection("Which tables move.")
    large_objects: LargeObjects = subsection("How large columns move.")


class Invariant(Section):
    """A query that must hold on both sides."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = required(
        "A name for reports and metrics.", "orphaned_transactions"
    )
    sql: Annotated[str, StringConstraints(min_length=1)] = required(
        "A single SELECT.", "SELECT count(*) FROM payments WHERE amount IS NULL"
    )
    expect: int | Literal["same-on-both-sides"] = optional(
        "same-on-both-sides", "The number the query must give on both sides, or `same-on-both-sides`."
    )


class Validation(Section):
    """The continuous comparison of both databases."""

    every: Duration = optional("5m", "How often what changed is compared: 1m to 1d.")
    full: Duration = optional("6h", "How often everything is compared.")
    invariants: list[Invariant] = optional(
        [], "Queries that must hold on both sides.", [{"name": "rows", "sql": "SELECT count(*) FROM payments"}]
    )


class Recipient(Section):
    """Who is told: one of the three."""

    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = optional(
        None, "An e-mail address.", "payments-oncall@example.com"
    )
    https: Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")] | None = optional(
        None, "An HTTPS endpoint that accepts SNS messages.", "https://events.example.com/paymig"
    )
    sms: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = optional(
        None, "A telephone number.", "+15555550100"
    )


class Alarms(Section):
    """When an alarm fires."""

    replication_lag: Duration = optional("30s", "The target is this far behind.")
    slot_size: Size = optional(
        "10GiB",
        "The source keeps this much of its log for the replication, and a full disk stops it: 64MiB to 65536GiB.",
    )
    error_rate: Percentage = optional("1%", "This share of requests fails.")
    p99_latency: Duration = optional("800ms", "One request in a hundred takes longer.")


class Monitoring(Section):
    """Dashboard, alarms and who receives them."""

    notify: Annotated[list[Recipient], Field(min_length=1)] = required(
        "Who receives the alarms.", [{"email": "payments-oncall@example.com"}]
    )
    alarms: Alarms = subsection("When an alarm fires.")
