"""Examples of bad specs with exactly what is printed for them; `python -m tests.diagnostics` prints them anew.

In each page a YAML block is followed by a text block. A fragment is completed to a whole spec first; `yaml whole`
stands for itself, and `yaml staging` is checked for that environment.
"""

import re
from pathlib import Path

from schemas.diagnostics import SpecError, render_text
from schemas.load import parse
from tests.fragments import complete
from tests.strategies import SPECS

PAGES = sorted(path for path in Path(__file__).parent.glob("*.md"))
_PAIR = re.compile(r"```yaml(?: (?P<how>\w+))?\n(?P<yaml>.*?)```\n\n```text\n(?P<text>.*?)```", re.DOTALL)


def printed(fragment: str, how: str | None) -> str:
    """Return what `paymig check` prints for a fragment."""
    text = fragment if how == "whole" else complete(fragment)
    environment = how if how not in (None, "whole") else None
    try:
        spec = parse(text, "migration.yaml", SPECS, environment)
    except SpecError as error:
        return render_text(error.diagnostics, error.sources) + "\n"
    return render_text(spec.warnings, {spec.file: spec.text}) + "\n"


def anew(page: str) -> str:
    """Return a page with every text block as it is printed now."""

    def replaced(pair: re.Match[str]) -> str:
        return pair[0][: pair.start("text") - pair.start()] + printed(pair["yaml"], pair["how"]) + "```"

    return _PAIR.sub(replaced, page)


def examples(page: str) -> int:
    """Count the examples of a page."""
    return len(_PAIR.findall(page))


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(anew(path.read_text()))
