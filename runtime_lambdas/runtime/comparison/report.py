"""What a comparison found, as it is shown, kept, and written as JSON (docs/comparison-report.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from runtime_lambdas.runtime.catalogue_diff import Difference

from .shape import Disagreement

Verdict = Literal["equal", "different", "unsettled", "unfinished"]
"""Never equal unless everything was seen to be the same; "different" outweighs the other two."""

Kind = Literal["missing", "extra", "different"]
"""A row the target lacks, one the source lacks, or one that both have and that is not the same."""


@dataclass(frozen=True)
class ColumnDifference:
    """A column whose values differ; their texts are None where values are masked, or where the value is NULL."""

    name: str
    source: str | None
    target: str | None


@dataclass(frozen=True)
class RowDifference:
    """A row that differs.

    Attributes:
        key: The primary key's columns; where there is none, "ctid" on the side that has more of these rows.
        columns: The ones that differ; for a missing or extra row all of them where values are shown, else none.
        copies: In a table without a key, how many rows like this the source and the target have.
    """

    kind: Kind
    key: Mapping[str, str]
    columns: Sequence[ColumnDifference] = ()
    copies: tuple[int, int] | None = None


@dataclass
class TableResult:
    """A table's comparison, so far.

    Attributes:
        rows_source: Rows that were read on the source.
        rows_target: Rows that were read on the target.
        chunks: Ranges that were compared.
        unsettled: Rows that nobody can tell about.
        examples: Some of the rows that differ.
        finished: Whether the whole table was read.
        note: What else there is to say, as a sentence; or "".
    """

    table: str
    rows_source: int = 0
    rows_target: int = 0
    chunks: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    unsettled: int = 0
    examples: list[RowDifference] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    finished: bool = False
    note: str = ""

    @property
    def differences(self) -> int:
        """How many rows differ."""
        return self.missing + self.extra + self.different

    @property
    def verdict(self) -> Verdict:
        """The table's verdict."""
        if self.differences or self.disagreements:
            return "different"
        if not self.finished:
            return "unfinished"
        return "unsettled" if self.unsettled else "equal"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"verdict": self.verdict, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableResult:
        """Return what `to_json` wrote."""
        values = {name: value for name, value in data.items() if name != "verdict"}
        values["examples"] = [_row(each) for each in data["examples"]]
        values["disagreements"] = [Disagreement(**each) for each in data["disagreements"]]
        return cls(**values)

    def add(self, other: TableResult) -> None:
        """Take in what was found in another part of the same table."""
        for name in ("rows_source", "rows_target", "chunks", "missing", "extra", "different", "unsettled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples += other.examples
        self.finished = self.finished and other.finished
        self.note = self.note or other.note


@dataclass(frozen=True)
class InvariantResult:
    """An invariant: its rows on each side as text, and whether they are as they should be."""

    name: str
    verdict: Verdict
    source: Sequence[Sequence[str]]
    target: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Report:
    """A comparison.

    Attributes:
        mode: "full" compared every row; "changes" the keys of all rows and the content of those written since a cut;
            "recent" the rows written in the last moments (see `recent.Recent`).
        started: When it began, on the source's clock, in ISO 8601; a resumed one keeps its first beginning.
        seconds: How long it took, without what an earlier process did.
        cut: From where a later comparison of changes may start (see `changes.Cut`).
        values: Whether values are in it.
        schema: Where the catalogues differ; None where nobody looked, as before the comparison has ended. The verdict
            is about rows and not about this.
    """

    mode: Literal["full", "changes", "recent"]
    started: str
    seconds: float
    cut: Mapping[str, Any] | None
    values: Literal["masked", "shown"]
    tables: Sequence[TableResult]
    invariants: Sequence[InvariantResult] = ()
    schema: Sequence[Difference] | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst of all tables and invariants."""
        found = {table.verdict for table in self.tables} | {each.verdict for each in self.invariants}
        for verdict in _WORST_FIRST:
            if verdict in found:
                return verdict
        return "equal"

    @property
    def ended(self) -> bool:
        """Whether it is done with every table, so that no later run goes on with it."""
        return all(table.finished or table.differences for table in self.tables)

    @property
    def lacking(self) -> Sequence[Difference]:
        """What the source's schema has and the target has otherwise or not; more than that does no harm."""
        return [each for each in self.schema or () if each.source is not None]

    @property
    def same_schema(self) -> bool:
        """Whether the target has everything that the source's schema has."""
        return not self.lacking

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": 1,
            "verdict": self.verdict,
            "mode": self.mode,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "cut": self.cut,
            "values": self.values,
            "tables": [table.to_json() for table in self.tables],
            "invariants": [asdict(each) for each in self.invariants],
            "schema": None if self.schema is None else [asdict(each) for each in self.schema],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Return what `to_json` wrote."""
        schema = data["schema"]
        return cls(
            data["mode"],
            data["started"],
            data["seconds"],
            data["cut"],
            data["values"],
            [TableResult.from_json(each) for each in data["tables"]],
            [InvariantResult(**each) for each in data["invariants"]],
            None if schema is None else [Difference(**each) for each in schema],
        )


_WORST_FIRST: tuple[Verdict, ...] = ("different", "unfinished", "unsettled")


def _row(data: Mapping[str, Any]) -> RowDifference:
    columns = [ColumnDifference(**each) for each in data["columns"]]
    return RowDifference(data["kind"], data["key"], columns, data["copies"] and tuple(data["copies"]))
