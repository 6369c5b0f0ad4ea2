"""`source`: the system that runs today, in its own data centre."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.sections.base import DatabaseName, Hostname, Port, SecretArn, Section, optional, required, subsection
from schemas.sections.scalars import Cidr, IpAddress

TransitGatewayId = Annotated[str, StringConstraints(pattern=r"^tgw-[0-9a-f]{8}(?:[0-9a-f]{9})?$")]
DirectConnectGatewayId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Tls(Section):
    """How the source's certificate is verified."""

    mode: Literal["verify-full", "verify-ca", "require"] = optional(
        "verify-full", "The least verification a connection accepts, in libpq's terms."
    )
    ca: str | None = optional(
        None,
        "A PEM file with the authority that signed the server's certificate, relative to the spec.",
        "onprem-ca.pem",
    )


class SourceDatabase(Section):
    """The PostgreSQL server that is the writer until the switchover."""

    host: Hostname = required("The server's DNS name.", "db.corp.example.com")
    port: Port = optional(5432, "The server's port.")
    name: DatabaseName = required("The database to migrate.", "payments")
    secret: SecretArn = required(
        "The secret of the application's login: username, password, host and port. Never a password here.",
        "arn:aws:secretsmanager:us-east-2:111122223333:secret:onprem/payments-AbCdEf",
    )
    admin_secret: SecretArn | None = optional(
        None,
        "The secret of the login that owns the tables, may replicate, and takes the application's rights to write away "
        "at the switchover; where it is not given, `secret` has to be that login.",
        "arn:aws:secretsmanager:us-east-2:111122223333:secret:onprem/payments-owner-AbCdEf",
    )
    tls: Tls = subsection("How the server's certificate is verified.")

    @property
    def admin(self) -> str:
        """The ARN of the administrator's secret."""
        return self.admin_secret or self.secret


class SourceApi(Section):
    """Where the old API answers: by addresses or by name, not both."""

    ip_addresses: list[IpAddress] = optional(
        [], "The old API's public addresses: the old record is an A record with these.", ["198.51.100.10"]
    )
    hostname: Hostname | None = optional(
        None, "The old API's name: both records are CNAMEs then.", "legacy-api.example.com"
    )


class Vpn(Section):
    """A site-to-site VPN that the network stack creates."""

    customer_gateway_ip: IpAddress = required("The data centre's VPN device.", "203.0.113.12")
    asn: int = optional(65000, "The data centre's BGP number.", ge=1, le=4294967294)


class SourceNetwork(Section):
    """How AWS reaches the data centre: through a transit gateway, a VPN or Direct Connect, one of them."""

    cidrs: Annotated[list[Cidr], Field(min_length=1)] = required(
        "The data centre's networks: routed there, and checked against the VPC's for overlap.", ["192.168.0.0/16"]
    )
    transit_gateway: TransitGatewayId | None = optional(
        None, "An existing transit gateway that reaches the data centre.", "tgw-0123456789abcdef0"
    )
    vpn: Vpn | None = optional(None, "A site-to-site VPN to create.", {"customer_gateway_ip": "203.0.113.12"})
    direct_connect_gateway: DirectConnectGatewayId | None = optional(
        None,
        "An existing Direct Connect gateway of this account: a private gateway of the VPC is associated with it. "
        "Where a transit gateway already joins Direct Connect, name that one instead.",
        "11112222-3333-4444-5555-666677778888",
    )
    dns_servers: list[IpAddress] = optional(
        [],
        "The data centre's name servers, where no others know the database's name: its domain is asked of them.",
        ["192.168.0.53"],
    )


class Source(Section):
    """What runs today, on premises."""

    database: SourceDatabase = required("The database to migrate.", {"host": "db.corp.example.com", "name": "payments"})
    api: SourceApi = required("Where the old API answers.", {"ip_addresses": ["198.51.100.10"]})
    network: SourceNetwork = required(
        "How AWS reaches the data centre.", {"cidrs": ["192.168.0.0/16"], "transit_gateway": "tgw-0123456789abcdef0"}
    )
