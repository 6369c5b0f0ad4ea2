"""Files that a spec names, and the code in them."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from schemas.diagnostics import Diagnostic, SpecPath
from schemas.migration import Migration
from schemas.spec import Spec
from schemas.words import quote

_BUILTIN = "builtin:"
BUILTIN_HANDLERS = {"payment_api": "payment_api.handler.handler"}
"""Code that comes with paymig, and the function in it."""


def named_files(spec: Spec) -> Iterator[Diagnostic]:
    """What is named is there; paths start from the spec's folder."""
    for path, file in _files(spec.migration):
        if not _is_file(spec.folder / file):
            yield _no_file(spec, path, file, "no such file")


def named(spec: Spec) -> Iterator[Path]:
    """Yield everything besides the spec that compiling it reads: each file, and a folder for all that is in it."""
    migration = spec.migration
    yield from (spec.folder / file for _, file in _files(migration))
    if not migration.api.code.startswith(_BUILTIN):
        yield spec.folder / migration.api.code


def _files(migration: Migration) -> Iterator[tuple[SpecPath, str]]:
    files: list[tuple[SpecPath, str | None]] = [(("source", "database", "tls", "ca"), migration.source.database.tls.ca)]
    for name, extension in migration.extensions.items():
        files.append((("extensions", name, "patch"), extension.patch))
        files.append((("extensions", name, "stack"), extension.stack))
    yield from ((path, file) for path, file in files if file is not None)


def code(spec: Spec) -> Iterator[Diagnostic]:
    """The API's code is there and holds the handler's module."""
    api = spec.migration.api
    if api.code.startswith(_BUILTIN):
        yield from _builtin(spec, api.code.removeprefix(_BUILTIN), api.handler)
        return
    module = api.handler.rpartition(".")[0].replace(".", "/")
    wanted = (f"{module}.py", f"{module}/__init__.py")
    folder = spec.folder / api.code
    if folder.is_dir():
        there = any(_is_file(folder / name) for name in wanted)
    elif _is_file(folder) and zipfile.is_zipfile(folder):
        with zipfile.ZipFile(folder) as archive:
            there = not set(wanted).isdisjoint(archive.namelist())
    else:
        yield _no_file(spec, ("api", "code"), api.code, "neither a folder nor a zip file")
        return
    if not there:
        message = f"{api.code} holds no {wanted[0]}, where the handler {api.handler} should be"
        yield spec.finding("PMG215", "api.handler", message, "write module.path.function as seen from the code's top")


def _builtin(spec: Spec, name: str, handler: str) -> Iterator[Diagnostic]:
    expected = BUILTIN_HANDLERS.get(name)
    if expected is None:
        known = " or ".join(_BUILTIN + builtin for builtin in BUILTIN_HANDLERS)
        yield spec.finding("PMG214", "api.code", f"there is no built-in code {quote(name)}", f"write {known}")
    elif handler != expected:
        message = f"the built-in {name} has no handler {handler}"
        yield spec.finding("PMG215", "api.handler", message, f"write {expected}, or leave the key out")


def _no_file(spec: Spec, path: SpecPath, file: str, why: str) -> Diagnostic:
    hint = "write a path relative to the folder of the spec"
    return spec.finding("PMG213", path, f"{quote(file)}: {why} beside {spec.file}", hint)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name no file can have
        return False
