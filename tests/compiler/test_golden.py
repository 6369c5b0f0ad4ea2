import pytest

from tests.examples import EXAMPLES
from tests.golden import own_api
from tests.golden.__main__ import HERE, render


@pytest.mark.parametrize("name", EXAMPLES)
def test_templates_are_the_golden_ones(name: str) -> None:
    golden = {path.stem: path.read_bytes() for path in (HERE / name).glob("*.json")}
    templates = render(name)
    assert templates.keys() == golden.keys()
    changed = [template for template, body in templates.items() if body != golden[template]]
    assert not changed, f"{changed} changed; if that was meant: python -m tests.golden, and read the difference"


def test_the_zip_file_of_an_own_api_is_made_from_its_folder() -> None:
    assert own_api.ARCHIVE.read_bytes() == own_api.render(), "python -m tests.golden writes it anew"
