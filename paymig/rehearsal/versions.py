"""Which PostgreSQL plays the source and which the target, and where that is not what the spec says."""

from __future__ import annotations

from collections.abc import Sequence


def choose(wanted: str, installed: Sequence[int]) -> tuple[int, int]:
    """Choose the major versions of a stage.

    The target has the spec's, or the nearest newer one that is installed. What the source runs stands in no spec: it
    gets the first that is not newer than the target, since no migration goes to an older server.

    Args:
        wanted: the spec's `database.engine_version`, as "16.9".
        installed: major versions, the preferred ones first; one at least.

    Returns:
        The source's and the target's.
    """
    target = min((one for one in installed if one >= _major(wanted)), default=max(installed))
    return next(one for one in installed if one <= target), target


def remarks(wanted: str, source: str, target: str) -> list[str]:
    """Say, as sentences, which versions are not the spec's; all of them as "16.9"."""
    said = [f"The source is PostgreSQL {source} here; the spec does not say what runs on premises."]
    if target != wanted:
        why = "" if _major(target) == _major(wanted) else f": this machine has no {_major(wanted)}"
        said.append(f"The target is PostgreSQL {target} here and {wanted} in the spec{why}.")
    return said


def _major(version: str) -> int:
    return int(version.partition(".")[0])
