"""A fragment of a spec, completed to a whole one, so that an example shows only what it is about."""

import re

from tests.strategies import SPECS

_SECTION = re.compile(r"^[a-z_]+:.*\n(?:(?:[ #].*)?\n)*", re.MULTILINE)


def complete(fragment: str) -> str:
    """Put a fragment first, so that its line numbers hold, and after it the sections it lacks."""
    present = set(re.findall(r"^([a-z_]+):", fragment, re.MULTILINE))
    minimal = (SPECS / "minimal.yaml").read_text()
    rest = [section for section in _SECTION.findall(minimal) if section.partition(":")[0] not in present]
    return fragment + "".join(rest)
