"""Files that are written from something else: writing them, and telling which are stale."""

import sys
from collections.abc import Mapping
from pathlib import Path


def write_or_check(module: str, files: Mapping[Path, str]) -> int:
    """Write the files whose text has changed; with `--check` on the command line, only name them.

    Args:
        module: what to run to write them, for the message.
        files: for each file, the text that it should hold.

    Returns:
        The exit code: 1 when `--check` found a stale file.
    """
    stale = [file for file, text in files.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    if sys.argv[1:] == ["--check"]:
        for file in stale:
            sys.stderr.write(f"{file.name} is stale: run python -m {module}\n")
        return int(bool(stale))
    for file in stale:
        file.write_text(files[file], encoding="utf-8")
    return 0
