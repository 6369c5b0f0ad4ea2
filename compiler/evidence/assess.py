"""From a compiled migration to what its templates show."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from compiler.evidence.checks import Answer, Check, Seen
from compiler.evidence.facts import facts
from compiler.evidence.requirements import REQUIREMENTS, Requirement
from compiler.linked import Resource


class Verdict(StrEnum):
    """What can be said of a requirement from the templates alone."""

    SHOWN = "shown by the template"
    LEFT = "left to process"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Finding:
    """What was found for one requirement.

    Attributes:
        shown: the properties that show it; of requirements that are not shown, those that would.
        failed: the properties that speak against it, as they are.
        missing: the checks that found nothing to look at.
    """

    requirement: Requirement
    verdict: Verdict
    shown: tuple[Seen, ...]
    failed: tuple[Seen, ...]
    missing: tuple[Check, ...]


def assess(resources: Mapping[str, Resource]) -> tuple[Finding, ...]:
    """Ask every requirement's checks of linked resources."""
    known = tuple(facts(resources))
    return tuple(
        _finding(requirement, [(check, check.answer(known)) for check in requirement.checks])
        for requirement in REQUIREMENTS
    )


def _finding(requirement: Requirement, answers: Sequence[tuple[Check, Answer]]) -> Finding:
    shown = _unique(seen for _, answer in answers for seen in answer.shown)
    failed = _unique(seen for _, answer in answers for seen in answer.failed)
    missing = tuple(check for check, answer in answers if not answer.holds and not answer.failed)
    return Finding(requirement, _verdict(requirement, bool(shown), bool(failed), bool(missing)), shown, failed, missing)


def _verdict(requirement: Requirement, shown: bool, failed: bool, missing: bool) -> Verdict:
    if shown and not failed and not missing:
        return Verdict.SHOWN
    # What nothing in the templates speaks of may be done elsewhere; what they say wrongly may not.
    return Verdict.LEFT if requirement.process and not failed else Verdict.NOT_SHOWN


def _unique(seen: Iterable[Seen]) -> tuple[Seen, ...]:
    return tuple(dict.fromkeys(seen))


def unshown(findings: Iterable[Finding], wanted: Iterable[str]) -> Iterator[tuple[str, Finding]]:
    """Yield each wanted number whose requirement the templates do not show."""
    by_number = {number: finding for finding in findings for number in finding.requirement.numbers}
    for number in wanted:
        if by_number[number].verdict is not Verdict.SHOWN:
            yield number, by_number[number]
