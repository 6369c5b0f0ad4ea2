"""What may be wished of a comparison in parts: the input of the state machine's execution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime_lambdas.runtime.comparison.digest import Hash
from runtime_lambdas.runtime.comparison.parts import ROWS


class BadWish(ValueError):
    """The execution's input is not understood: says what is wrong with it."""


@dataclass(frozen=True)
class Wish:
    """What was chosen.

    Attributes:
        tables: patterns; empty takes the spec's, and the spec's invariants too.
        max_load: the share of the time, in percent, that each connection may keep its server busy.
        hash: digests the rows.
        rows: of a part, where they are not wide.
    """

    tables: tuple[str, ...] = ()
    max_load: float = 100
    hash: Hash = "md5"
    rows: int = ROWS

    @property
    def scope(self) -> str:
        """A name for what is compared: comparisons over the same scope go on with each other's work."""
        return hashlib.sha256(json.dumps(sorted(self.tables)).encode()).hexdigest()[:16] if self.tables else "spec"

    @classmethod
    def from_input(cls, given: Any) -> Wish:
        """Read an execution's input, as `{}`, or `{"tables": ["public.pay%"], "max_load": 25, "hash": "sha256"}`.

        Raises:
            BadWish: It is something else.
        """
        if not isinstance(given, Mapping) or given.keys() - {"tables", "max_load", "hash", "rows"}:
            raise BadWish(f'the input may have "tables", "max_load", "hash" and "rows", and no more: {given!r}')
        tables, load, digest = given.get("tables", ()), given.get("max_load", 100), given.get("hash", "md5")
        if not isinstance(tables, list | tuple) or not all(isinstance(each, str) and each for each in tables):
            raise BadWish(f'"tables" must be a list of patterns, as ["public.pay%"], not {tables!r}')
        if isinstance(load, bool) or not isinstance(load, int | float) or not 0 < load <= 100:
            raise BadWish(f'"max_load" must be a percentage above 0 and at most 100, not {load!r}')
        if digest not in ("md5", "sha256"):
            raise BadWish(f'"hash" must be "md5" or "sha256", not {digest!r}')
        # Where the load is held down a part gets fewer rows, and so takes as long.
        rows = given.get("rows", max(1000, int(ROWS * load / 100)))
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise BadWish(f'"rows" must be a whole number above 0, not {rows!r}')
        return cls(tuple(tables), load, digest, rows)
