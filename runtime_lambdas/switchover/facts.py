"""The facts that a preflight judges, read inside the VPC."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import psycopg2

from runtime_lambdas.runtime import log
from runtime_lambdas.runtime.facts import read_facts
from runtime_lambdas.runtime.logins import Deployed, Role
from runtime_lambdas.runtime.writer import Side

_ROLES: Mapping[Side, Role] = {"source": "admin", "target": "control"}


def facts(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"facts": ...}`, the document as gzipped JSON in base64, or `{"error": why it can't be read}`.

    The event names the "side" and the patterns to "include" and to "exclude". A schema of thousands of tables is over
    the size of an answer as it stands; it repeats itself, and so packs to a fraction.

    Raises:
        NotConfigured: This side does not exist yet.
    """
    side = event["side"]
    try:
        opened = Deployed().login(side, _ROLES[side]).open()
    except psycopg2.OperationalError as error:
        log.error("database.unreachable", error, side=side)
        return {"error": str(error).strip()}
    try:
        document = asdict(read_facts(opened, event["include"], event["exclude"], sample=side == "source"))
    except psycopg2.Error as error:
        log.error("facts.refused", error, side=side)
        return {"error": str(error).strip()}
    finally:
        opened.close()
    return {"facts": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}
