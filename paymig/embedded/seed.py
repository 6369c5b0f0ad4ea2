"""What exists in the embedded AWS before the first request, under the literal ids of a specification."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class HostedZone:
    """A public Route 53 zone: `id` without "/hostedzone/", `name` with or without the final dot."""

    id: str
    name: str


@dataclass(frozen=True)
class Secret:
    """A secret by its full ARN, the six random characters included; `value` is stored as JSON."""

    arn: str
    value: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class DatabaseEndpoint:
    """The real PostgreSQL server that stands behind every RDS endpoint.

    Where `username` is given, the managed master secret of a cluster holds it and `password`.
    """

    host: str
    port: int
    username: str = ""
    password: str = ""


@dataclass(frozen=True)
class Seed:
    """All that a server is started with; each part may be left out.

    Attributes:
        hosted_zones: Zones a specification names by id.
        transit_gateways: Ids ("tgw-0123456789abcdef0") of transit gateways the account owns.
        direct_connect_gateways: Ids of Direct Connect gateways the account owns.
        secrets: Secrets a specification names by ARN.
        database_endpoint: Where cluster, instance and proxy endpoints point, or None for made-up names.
        execution_environments: How many of them each function may have; those of a published version are warm at once,
            as provisioned ones are. 0: any number, each started when it is needed.
    """

    hosted_zones: tuple[HostedZone, ...] = ()
    transit_gateways: tuple[str, ...] = ()
    direct_connect_gateways: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    database_endpoint: DatabaseEndpoint | None = None
    execution_environments: int = 0

    def to_json(self) -> str:
        """The file form that `python -m paymig.embedded --seed` reads."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read what `to_json` wrote; a ValueError names the file and what is wrong with it."""
        try:
            raw = json.loads(path.read_text())
            endpoint = raw.get("database_endpoint")
            return cls(
                hosted_zones=tuple(HostedZone(**zone) for zone in raw.get("hosted_zones", ())),
                transit_gateways=tuple(raw.get("transit_gateways", ())),
                direct_connect_gateways=tuple(raw.get("direct_connect_gateways", ())),
                secrets=tuple(Secret(**secret) for secret in raw.get("secrets", ())),
                database_endpoint=DatabaseEndpoint(**endpoint) if endpoint else None,
                execution_environments=int(raw.get("execution_environments", 0)),
            )
        except (AttributeError, TypeError, json.JSONDecodeError) as cause:
            raise ValueError(
                f"{path} is not a seed of the embedded AWS: {cause}. It is a JSON object with hosted_zones, "
                "transit_gateways, direct_connect_gateways, secrets, database_endpoint and execution_environments, "
                "each optional."
            ) from cause
