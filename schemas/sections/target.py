"""What is built on AWS: `network`, `database`, `api`, `load_balancer`, `security`, `routing`."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.sections.base import DatabaseName, Hostname, Section, optional, required, subsection
from schemas.sections.scalars import Cidr, Duration, Percentage, Size

Capacity = Annotated[float, Field(ge=0.5, le=256, multiple_of=0.5)]
"""Aurora capacity units, in halves."""


class Network(Section):
    """The VPC."""

    cidr: Cidr = optional("10.20.0.0/16", "The VPC's network; must not overlap the data centre's.")
    availability_zones: int = optional(3, "Over how many zones the subnets spread.", ge=2, le=6)
    nat_gateways: Literal["per-zone", "single"] = optional(
        "per-zone", "One NAT gateway for each zone, or one for all (cheaper, lost with its zone)."
    )


class CapacityRange(Section):
    """How far Aurora Serverless v2 scales."""

    min: Capacity = optional(1, "The least capacity, in Aurora capacity units.")
    max: Capacity = optional(16, "The most capacity, in Aurora capacity units.")


class Database(Section):
    """Aurora PostgreSQL Serverless v2."""

    engine_version: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}\.[0-9]{1,2}$")] = optional(
        "16.9", "A PostgreSQL version that Aurora offers, quoted, since YAML reads 16.10 as a number."
    )
    name: DatabaseName | None = optional(None, "The database's name; the source's if left out.", "payments")
    capacity: CapacityRange = subsection("How far the cluster scales.")
    instances: int = optional(2, "One writer and this many readers less one.", ge=1, le=16)
    backup_retention: Duration = optional("35d", "How long automatic backups are kept: 1 to 35 days.")


class Provisioned(Section):
    """Provisioned concurrency of the API's alias, kept near a utilisation."""

    min: int = optional(2, "The fewest warm execution environments.", ge=1)
    max: int = optional(50, "The most warm execution environments.", ge=1)
    target: Percentage = optional("70%", "The utilisation at which more are added.")


class Scaling(Section):
    """How the API scales."""

    provisioned: Provisioned = subsection("Warm execution environments.")
    reserved: int = optional(200, "The most concurrent executions, so that the database is never flooded.", ge=1)


_MEMORY = optional("512MiB", "Memory of one execution environment: 128MiB to 10240MiB.")
_TIMEOUT = optional("30s", "How long one request may take: 1s to 15m.")

Handler = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$")]
"""A Python function, as module.path.function."""

PathPattern = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9_.$/~@:+*?-]*$", max_length=128)]
"""A path of requests; `*` stands for any characters, `?` for one."""

RouteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*$", max_length=24)]
"""Lower-case words, joined by hyphens; each begins with a letter."""


class Route(Section):
    """A function of its own for the requests to some paths, in a stack of its own."""

    paths: Annotated[list[PathPattern], Field(min_length=1)] = required(
        "The paths, in which `*` stands for any characters and `?` for one; no other route's may overlap.",
        ["/refunds", "/refunds/*"],
    )
    code: Annotated[str, StringConstraints(min_length=1)] | None = optional(
        None, "A folder or zip of your own, relative to the spec; the API's if left out.", "refunds.zip"
    )
    handler: Handler = required("The function to call, as module.path.function.", "refunds.api.handler")
    memory: Size = _MEMORY
    timeout: Duration = _TIMEOUT
    scaling: Scaling = subsection("How the function scales.")


class Api(Section):
    """The new payments API, a Lambda function behind the load balancer."""

    code: str = optional(
        "builtin:payment_api",
        "`builtin:payment_api`, or a folder or zip of your own, relative to the spec.",
        min_length=1,
    )
    handler: Handler = optional("payment_api.handler.handler", "The function to call, as module.path.function.")
    runtime: Literal["python3.12", "python3.13"] = optional("python3.13", "The Lambda runtime.")
    architecture: Literal["arm64", "x86_64"] = optional("arm64", "The processor architecture.")
    memory: Size = _MEMORY
    timeout: Duration = _TIMEOUT
    scaling: Scaling = subsection("How the API scales.")
    routes: dict[RouteName, Route] = optional(
        {},
        "Further functions, for the requests to some paths; they share the API's runtime, network and database role.",
        {"refunds": {"paths": ["/refunds*"], "handler": "refunds.api.handler"}},
    )


class LoadBalancer(Section):
    """The public HTTPS entry."""

    access_logs: Duration = optional("400d", "How long access logs are kept, in whole days.")
    deletion_protection: bool = optional(True, "Whether the load balancer refuses to be deleted.")


class RateLimit(Section):
    """How many requests one address may send."""

    requests: int = optional(1000, "Requests of one address in a window.", ge=10, le=2_000_000_000)
    window: Duration = optional("5m", "The window: 1m, 2m, 5m or 10m.")


class Waf(Section):
    """The web application firewall in front of the load balancer."""

    rate_limit: RateLimit = subsection("How many requests one address may send.")
    managed_rules: Literal["default", "none"] = optional(
        "default", "AWS's managed rule groups: common, known bad inputs, SQL injection, address reputation."
    )


class Security(Section):
    """Protection of the edge and of the secrets."""

    waf: Waf = subsection("The web application firewall.")
    secret_rotation: Duration = optional("30d", "How often generated secrets are rotated: 1 to 365 days.")


class Routing(Section):
    """The DNS record whose weights move the traffic."""

    hosted_zone: Annotated[str, StringConstraints(pattern=r"^Z[A-Z0-9]{1,31}$")] = required(
        "The id of the Route 53 hosted zone that holds the record.", "Z0123456789ABCDEFGHIJ"
    )
    record: Hostname = required("The name that clients call.", "api.payments.example.com")
    ttl: Duration = optional("30s", "How long resolvers may cache the old record: 1s to 1d.")
