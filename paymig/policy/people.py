"""What an operator needs for every command, and a reviewer for those that only look."""

from collections import defaultdict
from collections.abc import Iterable

from compiler.compile import Compiled
from paymig.policy.places import places
from paymig.policy.rights import DETECTION, Right, rights_for
from paymig.policy.service_role import bound, wanted
from paymig.policy.statements import Statement

REVIEWING = frozenset({"history", "plan", "status"})
"""The commands that change nothing, not even the journal."""


_SECRETS = frozenset({"secretsmanager:GetSecretValue"})


def operator(compiled: Compiled) -> list[Statement]:
    """Give the rights for every command."""
    return _statements(compiled, rights_for(compiled.migration))


def reviewer(compiled: Compiled) -> list[Statement]:
    """Give the rights for the commands that only look."""
    known = rights_for(compiled.migration)
    return _statements(compiled, [right for right in known if REVIEWING & set(right.commands.split())])


def _statements(compiled: Compiled, rights: Iterable[Right]) -> list[Statement]:
    by_place: defaultdict[str, set[str]] = defaultdict(set)
    for right in rights:
        by_place[right.place].add(right.action)
    known = places(compiled)
    made = [known[name].statement(name, tuple(sorted(actions))) for name, actions in sorted(by_place.items())]
    if any(DETECTION in actions for actions in by_place.values()):
        made += bound(compiled, {action for action in wanted(compiled).read if _looks(action)}, "Drift")
    return made


def _looks(action: str) -> bool:
    """Whether an action only shows settings; providers name more for a read, such as a secret's value."""
    return action.partition(":")[2].startswith(("Describe", "Get", "List")) and action not in _SECRETS
