import pytest

from tests.golden.__main__ import HERE, SPECS, render


@pytest.mark.parametrize("name", SPECS)
def test_templates_are_the_golden_ones(name: str) -> None:
    golden = {path.stem: path.read_bytes() for path in (HERE / name).glob("*.json")}
    templates = render(name)
    assert templates.keys() == golden.keys()
    changed = [template for template, body in templates.items() if body != golden[template]]
    assert not changed, f"{changed} changed; if that was meant: python -m tests.golden, and read the difference"
