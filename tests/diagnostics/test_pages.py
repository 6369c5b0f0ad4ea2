"""What is printed for a bad spec is exactly what the pages beside this file show."""

from pathlib import Path

import pytest

from schemas.codes import CODES
from tests.diagnostics.__main__ import PAGES, anew, examples, shown

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    # Needs databases, and tells their sizes, versions and names.
    **{code: "tests/paymig/preflight/test_rules.py" for code in CODES if code.startswith("PMG4")},
    # Every value that reaches a function's environment has a limit of its own, and all together stay under Lambda's.
    "PMG311": "tests/compiler/test_structure.py",
}
"""Codes that no spec alone brings about, and the test that does."""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_is_printed_is_what_the_page_shows(path):
    page = path.read_text()
    assert examples(page) == page.count("```yaml") > 0
    assert anew(page).splitlines() == page.splitlines()


def test_every_code_is_shown_on_a_page_or_brought_about_elsewhere():
    on_pages = set().union(*(shown(path.read_text()) for path in PAGES))
    assert on_pages | ELSEWHERE.keys() == CODES.keys()
    assert not on_pages & ELSEWHERE.keys()
    assert [code for code, file in ELSEWHERE.items() if code not in (ROOT / file).read_text()] == []
