"""What a migration.yaml says, defaults filled in. Written by `python -m schemas.freeze`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

from schemas.record import Record


class Extension(Record):
    """A patch of a component's template, or a stack of one's own."""

    patch: str | None
    stack: str | None


class Rehearsal(Record):
    """The operator's own schema, clients and old API for `paymig rehearse`; AWS never sees them."""

    schema_file: str | None
    workload: str | None
    old_api: str | None


class Rollback(Record):
    """Going back."""

    automatic: bool
    window: timedelta


class Switchover(Record):
    """Moving the writer."""

    pause_budget: timedelta
    sequence_gap: int
    approval: Literal["none", "required", "second-person"]


class Gates(Record):
    """What must hold before a step and during its bake. A missing value never passes."""

    replication_lag: timedelta
    validation_age: timedelta
    alarms: Literal["none", "any"]
    error_rate: Decimal
    minimum_requests: int


class Step(Record):
    """A share of the traffic, and how long it is watched there."""

    to: Decimal
    bake: timedelta
    approval: Literal["none", "required", "second-person"]


class Cutover(Record):
    """The road from the source to the target."""

    strategy: Literal["compute-first", "together"]
    steps: list[Step]
    gates: Gates
    switchover: Switchover
    rollback: Rollback

    @property
    def writer_approval(self) -> Literal["none", "required", "second-person"]:
        """Who has to approve the move of the writer; with `strategy: together` the traffic's step goes with it."""
        asked = {self.switchover.approval}
        if self.strategy == "together":
            asked.update(step.approval for step in self.steps)
        return "second-person" if "second-person" in asked else "required" if "required" in asked else "none"


class Alarms(Record):
    """When an alarm fires."""

    replication_lag: timedelta
    slot_size: int
    error_rate: Decimal
    p99_latency: timedelta


class Recipient(Record):
    """Who is told: one of the three."""

    email: str | None
    https: str | None
    sms: str | None


class Monitoring(Record):
    """Dashboard, alarms and who receives them."""

    notify: list[Recipient]
    alarms: Alarms


class Invariant(Record):
    """A query that must hold on both sides."""

    name: str
    sql: str
    expect: int | Literal["same-on-both-sides"]


class Validation(Record):
    """The continuous comparison of both databases."""

    every: timedelta
    full: timedelta
    invariants: list[Invariant]


class Routing(Record):
    """The DNS record whose weights move the traffic."""

    hosted_zone: str
    record: str
    ttl: timedelta


class LargeObjects(Record):
    """How DMS moves large columns (text, bytea, json)."""

    mode: Literal["limited", "inline", "full"]
    max: int


class Tables(Record):
    """Which tables move."""

    include: list[str]
    exclude: list[str]


class ServerlessReplication(Record):
    """DMS Serverless capacity."""

    min: Literal[1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384]
    max: Literal[1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384]


class ReplicationInstance(Record):
    """A provisioned DMS instance."""

    instance_class: str
    storage: int
    multi_az: bool


class Replication(Record):
    """The engine that keeps the target equal to the source."""

    engine: Literal["dms", "logical"]
    instance: ReplicationInstance | None
    serverless: ServerlessReplication | None
    tables: Tables
    large_objects: LargeObjects


class RateLimit(Record):
    """How many requests one address may send."""

    requests: int
    window: timedelta


class Waf(Record):
    """The web application firewall in front of the load balancer."""

    rate_limit: RateLimit
    managed_rules: Literal["default", "none"]


class Security(Record):
    """Protection of the edge and of the secrets."""

    waf: Waf
    secret_rotation: timedelta


class LoadBalancer(Record):
    """The public HTTPS entry."""

    access_logs: timedelta
    deletion_protection: bool


class Route(Record):
    """A function of its own for the requests to some paths, in a stack of its own."""

    paths: list[str]
    code: str | None
    handler: str
    memory: int
    timeout: timedelta
    scaling: Scaling


class Provisioned(Record):
    """Provisioned concurrency of the API's alias, kept near a utilisation."""

    min: int
    max: int
    target: Decimal


class Scaling(Record):
    """How the API scales."""

    provisioned: Provisioned
    reserved: int


class Api(Record):
    """The new payments API, a Lambda function behind the load balancer."""

    code: str
    handler: str
    runtime: Literal["python3.12", "python3.13"]
    architecture: Literal["arm64", "x86_64"]
    memory: int
    timeout: timedelta
    scaling: Scaling
    routes: dict[str, Route]


class CapacityRange(Record):
    """How far Aurora Serverless v2 scales."""

    min: float
    max: float


class Database(Record):
    """Aurora PostgreSQL Serverless v2."""

    engine_version: str
    name: str | None
    capacity: CapacityRange
    instances: int
    backup_retention: timedelta


class Network(Record):
    """The VPC."""

    cidr: IPv4Network
    availability_zones: int
    nat_gateways: Literal["per-zone", "single"]


class Vpn(Record):
    """A site-to-site VPN that the network stack creates."""

    customer_gateway_ip: IPv4Address
    asn: int


class SourceNetwork(Record):
    """How AWS reaches the data centre: through a transit gateway, a VPN or Direct Connect, one of them."""

    cidrs: list[IPv4Network]
    transit_gateway: str | None
    vpn: Vpn | None
    direct_connect_gateway: str | None
    dns_servers: list[IPv4Address]


class SourceApi(Record):
    """Where the old API answers: by addresses or by name, not both."""

    ip_addresses: list[IPv4Address]
    hostname: str | None


class Tls(Record):
    """How the source's certificate is verified."""

    mode: Literal["verify-full", "verify-ca", "require"]
    ca: str | None


class SourceDatabase(Record):
    """The PostgreSQL server that is the writer until the switchover."""

    host: str
    port: int
    name: str
    secret: str
    admin_secret: str | None
    tls: Tls

    @property
    def admin(self) -> str:
        """The ARN of the administrator's secret."""
        return self.admin_secret or self.secret


class Source(Record):
    """What runs today, on premises."""

    database: SourceDatabase
    api: SourceApi
    network: SourceNetwork


class Migration(Record):
    """A validated migration.yaml for one environment."""

    version: Literal[1]
    name: str
    environment: str
    region: str
    tags: dict[str, str]
    source: Source
    network: Network
    database: Database
    api: Api
    load_balancer: LoadBalancer
    security: Security
    replication: Replication
    routing: Routing
    validation: Validation
    monitoring: Monitoring
    cutover: Cutover
    rehearsal: Rehearsal
    environments: dict[str, dict[str, Any]]
    extensions: dict[str, Extension]

    @property
    def full_name(self) -> str:
        """Name and environment: the root stack's name and the journal's key, such as `payments-prod`."""
        return f"{self.name}-{self.environment}"

    @property
    def database_name(self) -> str:
        """The database's name on the target."""
        return self.database.name or self.source.database.name
