"""A spec that was read: the model, and where each part of it is written."""

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.diagnostics import Diagnostic, Severity, Span, SpecPath
from schemas.migration import Migration
from schemas.positions import Positions, place_of

_PART = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


@dataclass(frozen=True)
class Spec:
    """A valid spec for one environment.

    Attributes:
        migration: the model, defaults filled in, the environment's overlay merged.
        positions: where each written path stands; an overlaid one stands in its overlay.
        file: the file's name as the operator gave it.
        text: the file's text.
        folder: what relative paths of the spec start from.
        warnings: what is allowed but hardly meant.
        files: what else compiling it reads, the files and folders that it names in any environment.
    """

    migration: Migration
    positions: Positions
    file: str
    text: str
    folder: Path
    warnings: tuple[Diagnostic, ...] = ()
    files: frozenset[Path] = frozenset()

    def locate(self, path: str | SpecPath) -> Span:
        """Return where a value is written, or its nearest written ancestor where it is a default.

        Args:
            path: keys and indexes, or dotted as in `cutover.steps[0].to` or `cutover.steps.0.to`.
        """
        return place_of(self.positions, parse_path(path) if isinstance(path, str) else path).value

    def finding(
        self,
        code: str,
        path: str | SpecPath,
        message: str,
        hint: str,
        severity: Severity = Severity.ERROR,
        at_key: bool = False,
    ) -> Diagnostic:
        """Make a diagnostic at a path: at its value, or at its key."""
        parts = parse_path(path) if isinstance(path, str) else path
        place = place_of(self.positions, parts)
        span = place.start if at_key else place.value
        return Diagnostic.at(span, code, message, path=parts, file=self.file, hint=hint, severity=severity)


def parse_path(dotted: str) -> SpecPath:
    """Read `cutover.steps[0].to` or `cutover.steps.0.to` as keys and indexes."""
    return tuple(int(key or index) if (key or index).isdigit() else key for key, index in _PART.findall(dotted))
