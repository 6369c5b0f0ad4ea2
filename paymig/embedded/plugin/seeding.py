"""What the seed names is put in place before the first request."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from paymig.embedded.plugin import host

if TYPE_CHECKING:
    from paymig.embedded.seed import HostedZone, Secret, Seed

_SUFFIX_LENGTH = len("-AbCdEf")


def install(seed: Seed) -> None:
    """Create the seed's zones and secrets; raises ValueError for an ARN that names no secret."""
    for zone in seed.hosted_zones:
        _put_zone(zone)
    for secret in seed.secrets:
        _put_secret(secret)


def _put_zone(zone: HostedZone) -> None:
    route53 = host.module("services.route53")
    name = zone.name if zone.name.endswith(".") else f"{zone.name}."
    route53._zones[zone.id] = {
        "id": zone.id,
        "name": name,
        "caller_reference": zone.id,
        "comment": "",
        "private": False,
        "vpcs": [],
    }
    route53._records[zone.id] = route53._default_records(name)


def _put_secret(secret: Secret) -> None:
    parts = secret.arn.split(":", 6)
    if len(parts) != 7 or parts[2] != "secretsmanager" or parts[5] != "secret":
        raise ValueError(
            f"{secret.arn} is not the ARN of a secret; it looks like "
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:name-AbCdEf"
        )
    region, account, name = parts[3], parts[4], parts[6][:-_SUFFIX_LENGTH]
    with host.module("core.responses").request_scope(account, region):
        service = host.module("services.secretsmanager")
        from paymig.embedded.plugin.services import call

        call(
            "secretsmanager",
            "CreateSecret",
            Name=name,
            SecretString=json.dumps(secret.value),
            ClientRequestToken=str(uuid.uuid4()),
        )
        service._secrets[name]["ARN"] = secret.arn
