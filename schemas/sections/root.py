"""The spec as a whole: the model of a migration.yaml."""

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from schemas.overlays import DEFAULT
from schemas.sections.base import Section, optional, required, subsection
from schemas.sections.cutover import Cutover
from schemas.sections.migration import Monitoring, Replication, Validation
from schemas.sections.rehearsal import Rehearsal
from schemas.sections.source import Source
from schemas.sections.target import Api, Database, LoadBalancer, Network, Routing, Security

Name = Annotated[str, StringConstraints(pattern=r"^[a-z](?:[a-z0-9-]{0,22}[a-z0-9])?$")]
"""Lower-case letters, digits and inner hyphens: it becomes part of every AWS name."""

TagKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_ .:/=+@-]+$", max_length=128)]
TagValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_ .:/=+@-]*$", max_length=256)]


class Extension(Section):
    """A patch of a component's template, or a stack of one's own."""

    patch: str | None = optional(None, "A YAML file merged into the component's template.", "patches/database.yaml")
    stack: str | None = optional(None, "A CloudFormation template nested beside the components.", "stacks/audit.yaml")


class Migration(Section):
    """A validated migration.yaml for one environment."""

    version: Literal[1] = required("The version of this format.", 1)
    name: Name = required("The system's name, part of every stack name and tag.", "payments")
    environment: Name = optional(DEFAULT, "The environment's name, part of every stack name and tag.")
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,4}(?:-[a-z]+)+-[0-9]$")] = required(
        "The AWS region to move to.", "us-east-2"
    )
    tags: dict[TagKey, TagValue] = optional({}, "Tags for every resource.", {"Owner": "payments-platform"})
    source: Source = required("What runs today, on premises.", {"database": {"host": "db.corp.example.com"}})
    network: Network = subsection("The VPC.")
    database: Database = subsection("Aurora PostgreSQL Serverless v2.")
    api: Api = subsection("The new payments API.")
    load_balancer: LoadBalancer = subsection("The public HTTPS entry.")
    security: Security = subsection("Firewall and secrets.")
    replication: Replication = subsection("The engine that keeps the target equal to the source.")
    routing: Routing = required(
        "The DNS record whose weights move the traffic.",
        {"hosted_zone": "Z0123456789ABCDEFGHIJ", "record": "api.payments.example.com"},
    )
    validation: Validation = subsection("The continuous comparison of both databases.")
    monitoring: Monitoring = required(
        "Dashboard, alarms and who receives them.", {"notify": [{"email": "payments-oncall@example.com"}]}
    )
    cutover: Cutover = subsection("The steps, the gates and the ways back.")
    rehearsal: Rehearsal = subsection("What `paymig rehearse` plays with instead of what is built in.")
    environments: dict[Name, dict[str, Any]] = optional(
        {}, "For each other environment, what differs from this spec.", {"staging": {"database": {"instances": 1}}}
    )
    extensions: dict[Name, Extension] = optional(
        {}, "Patches of components, and stacks of one's own.", {"database": {"patch": "patches/database.yaml"}}
    )

    @property
    def full_name(self) -> str:
        """Name and environment: the root stack's name and the journal's key, such as `payments-prod`."""
        return f"{self.name}-{self.environment}"

    @property
    def database_name(self) -> str:
        """The database's name on the target."""
        return self.database.name or self.source.database.name
