"""The example specs: each is compiled, linted, scanned and deployed by the tests."""

from pathlib import Path

SPECS = Path(__file__).parents[1] / "specs"
EXAMPLES = tuple(sorted(path.stem for path in SPECS.glob("*.yaml")))
"""Their names, such as `payments`."""
