"""Which rights CloudFormation needs for a resource, by its type.

The table is what each resource's provider says of itself: `python -m compiler.plan.provider_schemas` writes it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

FILE = "permissions.json"


class Needs(NamedTuple):
    """Actions for a number of types.

    Attributes:
        read: what looking at a resource takes, as drift detection does.
        write: what making, changing and deleting it takes besides.
        unknown: types that the table lacks, or that publish nothing.
    """

    read: frozenset[str]
    write: frozenset[str]
    unknown: frozenset[str]


@cache
def table() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return for each resource type the actions that it takes to `read` and to `write`."""
    return json.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def needs(types: Collection[str]) -> Needs:
    """Say what these types take together.

    A provider names whatever any of its properties may take: the rights of all services that a firewall can stand in
    front of. What is of a service that none of the types belongs to is left out.
    """
    rows = {name: table()[name] for name in types if any(table().get(name, {}).values())}
    services = {_services()[_namespace(name)] for name in rows}
    kept = {
        kind: {action for row in rows.values() for action in row[kind] if action.partition(":")[0] in services}
        for kind in ("read", "write")
    }
    return Needs(frozenset(kept["read"]), frozenset(kept["write"] - kept["read"]), frozenset(types) - rows.keys())


@cache
def _services() -> Mapping[str, str]:
    """What IAM calls the service of a namespace such as `ElasticLoadBalancingV2`: the one its types ask most of."""
    asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, row in table().items():
        asked[_namespace(name)].update(action.partition(":")[0] for actions in row.values() for action in actions)
    return {namespace: counted.most_common(1)[0][0] for namespace, counted in asked.items() if counted}


def _namespace(type_: str) -> str:
    return type_.split("::")[1]
