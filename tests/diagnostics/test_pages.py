"""What is printed for a bad spec is exactly what the pages beside this file show."""

import pytest

from tests.diagnostics.__main__ import PAGES, anew, examples


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_is_printed_is_what_the_page_shows(path):
    page = path.read_text()
    assert examples(page) == page.count("```yaml") > 0
    assert anew(page).splitlines() == page.splitlines()
