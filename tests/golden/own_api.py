"""The zip file of an API of one's own that `specs/own-api.yaml` deploys, made from the folder beside it."""

from compiler.bundle import bundle_folder
from compiler.files import write_atomically
from tests.examples import SPECS

CODE = SPECS / "own-api" / "statements"
ARCHIVE = CODE.with_suffix(".zip")


def render() -> bytes:
    """Pack the folder, always to the same bytes."""
    return bundle_folder(CODE, CODE.name).data


def write() -> None:
    """Bring the zip file up to date."""
    write_atomically(ARCHIVE, render())
