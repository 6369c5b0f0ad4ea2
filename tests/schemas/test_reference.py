"""The reference page."""

import json

from schemas import reference
from schemas.json_schema import FILE as SCHEMA_FILE


def test_it_is_not_stale():
    assert reference.FILE.read_text() == reference.text()


def test_it_knows_every_key():
    """Every property name of the schema, overlays aside, stands in a row of its own."""
    schema = json.loads(SCHEMA_FILE.read_text())
    sections = [body for name, body in schema["$defs"].items() if not name.startswith("Overlay")]
    keys = {key for section in sections for key in section.get("properties", {})} - {"patch", "stack"}
    written = {
        line.split("`")[1].rpartition(".")[2] for line in reference.text().splitlines() if line.startswith("| `")
    }
    inner = {"database", "api", "network", "tls", "vpn", "capacity", "provisioned", "scaling", "waf", "rate_limit"}
    inner |= {"instance", "serverless", "tables", "large_objects", "alarms", "gates", "switchover", "rollback"}
    assert keys - inner - written == set()
