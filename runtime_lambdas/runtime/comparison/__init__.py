"""Comparing two databases, row by row, without moving the rows: see docs/comparison.md."""

from .changes import Cut, CutOutdated, Moment
from .invariants import Invariant, TooManyRows
from .kept import Folder, Kept
from .lag import Proof, Wait
from .options import Options, Patterns, Progress
from .parts import PartOutdated, compare_part, gather, plan
from .recent import Recent
from .record import NotPublished, RecordLost, StillOpen
from .report import Report, TableResult
from .run import KeptElsewhere, NothingToCompare, compare
from .server import SnapshotLost

__all__ = [
    "Cut",
    "CutOutdated",
    "Folder",
    "Invariant",
    "Kept",
    "KeptElsewhere",
    "Moment",
    "NotPublished",
    "NothingToCompare",
    "Options",
    "PartOutdated",
    "Patterns",
    "Progress",
    "Proof",
    "Recent",
    "RecordLost",
    "Report",
    "SnapshotLost",
    "StillOpen",
    "TableResult",
    "TooManyRows",
    "Wait",
    "compare",
    "compare_part",
    "gather",
    "plan",
]
