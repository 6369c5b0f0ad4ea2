"""`python -m tests.golden` writes the golden templates anew; look at the difference before committing it."""

from pathlib import Path

from compiler.assets import Assets, collect
from compiler.bundle import Bundle
from compiler.compile import build
from schemas.load import load
from tests.examples import EXAMPLES, SPECS
from tests.golden import own_api

HERE = Path(__file__).parent


def render(name: str) -> dict[str, bytes]:
    """Compile an example with fixed hashes for the code: golden templates follow the compiler, not the functions."""
    spec = load(SPECS / f"{name}.yaml")
    real = collect(spec.migration, spec.folder)
    fixed = {asset: Bundle(asset, "0" * 64, b"") for asset in real.bundles}
    return dict(build(spec, Assets(fixed, real.source_authority, real.target_authority)).templates)


def main() -> None:
    own_api.write()
    for name in EXAMPLES:
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        templates = render(name)
        for path in folder.glob("*.json"):
            if path.stem not in templates:
                path.unlink()
        for template, body in templates.items():
            (folder / f"{template}.json").write_bytes(body)


if __name__ == "__main__":
    main()
