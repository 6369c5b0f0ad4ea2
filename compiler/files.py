"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from threading import get_native_id


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` so that another process sees either nothing at `path` or all of it."""
    with _aside(path) as draft:
        draft.write_bytes(data)


def copy_atomically(source: Path, path: Path) -> None:
    """Copy a file, inside the kernel where it can, as `write_atomically` writes one."""
    with _aside(path) as draft:
        copyfile(source, draft)


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` that no other thread uses, and move what was written there to its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}-{get_native_id()}")
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
