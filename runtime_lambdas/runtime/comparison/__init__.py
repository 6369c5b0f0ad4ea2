"""Comparing two databases, row by row, without moving the rows: see docs/comparison.md."""

from .changes import Cut, CutOutdated, Moment
from .kept import Folder, Kept
from .options import Options, Patterns, Progress
from .recent import NotPublished, Recent, RecordLost
from .report import Report, TableResult
from .run import KeptElsewhere, NothingToCompare, compare
from .server import SnapshotLost

__all__ = [
    "Cut",
    "CutOutdated",
    "Folder",
    "Kept",
    "KeptElsewhere",
    "Moment",
    "NotPublished",
    "NothingToCompare",
    "Options",
    "Patterns",
    "Progress",
    "Recent",
    "RecordLost",
    "Report",
    "SnapshotLost",
    "TableResult",
    "compare",
]
