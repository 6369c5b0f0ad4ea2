"""IAM policies as values: statements, documents, and how they are cut to IAM's size."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

LARGEST = 6144
"""Characters that a managed policy may have, white space left out."""


@dataclass(frozen=True)
class Statement:
    """Actions that are allowed on resources, and why these resources.

    Attributes:
        sid: letters and digits.
        condition: operator, key and values, as IAM writes them.
        why: what the resources are, and what forces a wildcard in them.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str
    condition: Mapping[str, Mapping[str, Any]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the statement as IAM reads it."""
        made: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": list(self.resources),
        }
        return made | ({"Condition": self.condition} if self.condition else {})


def document(statements: Sequence[Statement]) -> dict[str, Any]:
    """Give statements as one policy."""
    return {"Version": "2012-10-17", "Statement": [statement.to_json() for statement in statements]}


def size(statements: Sequence[Statement]) -> int:
    """Count the characters of a policy as IAM does."""
    return len(json.dumps(document(statements), separators=(",", ":")))


def split(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """Distribute statements over as many policies as it takes, each of which IAM accepts as a managed policy."""
    part: list[Statement] = []
    for statement in (piece for whole in statements for piece in _pieces(whole)):
        if part and size([*part, statement]) > LARGEST:
            yield part
            part = []
        part.append(statement)
    if part:
        yield part


def _pieces(statement: Statement) -> Iterator[Statement]:
    """Cut a statement that fits into no policy: the same resources, a part of the actions each."""
    if size([statement]) <= LARGEST or len(statement.actions) == 1:
        yield statement
        return
    actions = sorted(statement.actions)
    half = len(actions) // 2
    for suffix, part in (("A", actions[:half]), ("B", actions[half:])):
        yield from _pieces(replace(statement, sid=statement.sid + suffix, actions=tuple(part)))
