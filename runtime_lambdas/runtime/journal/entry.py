"""One entry of the journal, and how it stands in the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["intent", "done", "failed", "note"]
"""`intent` stands before an act, `done` or `failed` after it; a `note` records what needs no intent."""

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's low-level API gives it."""

PREFIX = "entry#"


@dataclass(frozen=True)
class Draft:
    """What is to be appended: an entry without its number, its time and its author.

    Attributes: as of `Entry`.
    """

    verb: str
    step: str
    kind: Kind
    why: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """Who did what, when and why, with evidence.

    Attributes:
        sequence: from 1, without gaps.
        time: in UTC, by the clock of the machine that appended.
        who: the ARN that AWS knows the operator by.
        verb: the command, such as `shift`.
        step: what of it.
        why: the operator's words; empty when none were given.
        evidence: what was found or reached; values are JSON's.
        token: the lease's token under which it was appended.
    """

    sequence: int
    time: datetime
    who: str
    verb: str
    step: str
    kind: Kind
    why: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    token: int = 0

    @classmethod
    def of(cls, draft: Draft, sequence: int, time: datetime, who: str, token: int) -> Entry:
        """Give a draft its place."""
        return cls(sequence, time, who, draft.verb, draft.step, draft.kind, draft.why, draft.evidence, token)

    def to_json(self) -> dict[str, Any]:
        """Give the entry as JSON's types."""
        return {
            "sequence": self.sequence,
            "time": self.time.isoformat(),
            "who": self.who,
            "verb": self.verb,
            "step": self.step,
            "kind": self.kind,
            "why": self.why,
            "evidence": dict(self.evidence),
            "token": self.token,
        }


def key_of(sequence: int) -> str:
    """Name an entry's item: the order of the names is the order of the entries."""
    return f"{PREFIX}{sequence:08d}"


def to_item(entry: Entry) -> dict[str, dict[str, Any]]:
    """Write an entry for DynamoDB, without the table's key."""
    texts = {"time": entry.time.isoformat(), "evidence": json.dumps(entry.evidence, sort_keys=True, default=str)}
    texts |= {name: getattr(entry, name) for name in ("who", "verb", "step", "kind", "why")}
    return {name: {"S": text} for name, text in texts.items()} | {"token": {"N": str(entry.token)}}


def from_item(item: Item) -> Entry:
    """Read what `to_item` wrote."""
    return Entry(
        sequence=int(item["item"]["S"].removeprefix(PREFIX)),
        time=datetime.fromisoformat(item["time"]["S"]),
        who=item["who"]["S"],
        verb=item["verb"]["S"],
        step=item["step"]["S"],
        kind=item["kind"]["S"],
        why=item["why"]["S"],
        evidence=json.loads(item["evidence"]["S"]),
        token=int(item["token"]["N"]),
    )
