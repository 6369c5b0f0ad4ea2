"""The page of each diagnostic, carried along so that an installed paymig can show it.

`python -m schemas.formats.pages` collects them from `docs/diagnostics/`, `--check` says whether that is stale.
"""

import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from schemas.codes import CODES
from schemas.generated import write_or_check

FILE = "pages.json"


@cache
def pages() -> Mapping[str, str]:
    """Return the Markdown of each code's page."""
    return json.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def section(page: str, title: str) -> str:
    """Return the text under a heading, on one line a paragraph; of the empty title what stands before the first."""
    parts = {}
    for block in page.split("\n## "):
        heading, _, text = block.partition("\n")
        parts[heading] = text
    first = page.partition("\n")[0]
    text = parts[title or first]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def collected() -> str:
    """Return the pages of `docs/diagnostics/` as JSON."""
    folder = Path(__file__).parents[2] / "docs" / "diagnostics"
    read = {code: (folder / f"{code}.md").read_text(encoding="utf-8") for code in CODES}
    return json.dumps(read, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check("schemas.formats.pages", {Path(__file__).with_name(FILE): collected()}))
