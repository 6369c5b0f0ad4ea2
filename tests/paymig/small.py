"""A migration of two nested stacks, for what is deployed hundreds of times.

The API and the weighted record, from the compiler's own templates; what they take from stacks that are left out is a
constant, or missing. A deploy of it makes every kind of call that one of all ten stacks makes, only fewer of each. It
is never deployed where the whole migration is: its artefacts have the same keys.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from compiler.compile import ROOT, Compiled
from compiler.json_text import to_json
from paymig.aws.session import Aws
from paymig.embedded.process import EmbeddedAws
from paymig.rehearsal.stage import seed_of
from schemas.migration import Migration

KEPT = {"Api": "api", "Routing": "routing"}
"""Component and template."""


@dataclass(frozen=True)
class Place:
    """An AWS with nothing in it but what the spec names by its id, and no database."""

    embedded: EmbeddedAws
    aws: Aws


@contextmanager
def open_place(migration: Migration) -> Iterator[Place]:
    """Start an embedded AWS for as long as the block runs."""
    account = migration.source.database.secret.split(":")[4]
    with EmbeddedAws(region=migration.region, account_id=account, seed=seed_of(migration)) as embedded:
        credentials = (embedded.account_id, "embedded")
        yield Place(embedded, Aws(migration.region, endpoint_url=embedded.endpoint_url, credentials=credentials))


def small(compiled: Compiled) -> Compiled:
    """Leave out all but the kept stacks."""
    root = json.loads(compiled.templates[ROOT])
    stacks = {name: _alone(root["Resources"][name]) for name in KEPT}
    outputs = {name: output for name, output in root["Outputs"].items() if _source(output["Value"]) in KEPT}
    api = json.loads(compiled.templates["api"])
    del api["Resources"]["Function"]["Properties"]["Layers"]
    templates = {ROOT: to_json(root | {"Resources": stacks, "Outputs": outputs}), "api": to_json(api)}
    return replace(
        compiled,
        templates=templates | {"routing": compiled.templates["routing"]},
        keys={name: compiled.keys[name] for name in (ROOT, *KEPT.values())},
        assets={"api": compiled.assets["api"]},
        asset_keys={"api": compiled.asset_keys["api"]},
    )


def _alone(stack: dict[str, Any]) -> dict[str, Any]:
    properties = stack["Properties"]
    given = {
        name: value if _source(value) in (None, *KEPT) else "1" for name, value in properties["Parameters"].items()
    }
    return {"Type": stack["Type"], "Properties": properties | {"Parameters": given}}


def _source(value: Any) -> str | None:
    """The nested stack that a value comes from."""
    return value["Fn::GetAtt"][0] if isinstance(value, dict) and "Fn::GetAtt" in value else None
