"""Classes out of the operator's own Python files."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paymig.errors import PaymigError


def class_of(file: Path, name: str, methods: Sequence[str]) -> Any:
    """Return a class of a Python file.

    Args:
        file: the file, which is run.
        name: the class's name.
        methods: what it must have.

    Raises:
        PaymigError: there is none: says why.
    """
    found = importlib.util.spec_from_file_location(f"rehearsal_{file.stem}", file)
    if found is None or found.loader is None:
        raise PaymigError(f"{file} is no Python file", "its name ends with .py")
    module = importlib.util.module_from_spec(found)
    hint = f"it has a class {name} with {', '.join(methods)}; docs/rehearsal.md shows one"
    try:
        found.loader.exec_module(module)
        wanted = getattr(module, name)
    except Exception as error:
        raise PaymigError(f"{file} has no {name}: {type(error).__name__}: {error}", hint) from error
    missing = [method for method in methods if not callable(getattr(wanted, method, None))]
    if missing:
        raise PaymigError(f"the {name} of {file} lacks {', '.join(missing)}", hint)
    return wanted
