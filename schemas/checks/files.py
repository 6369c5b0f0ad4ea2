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
    """Yield everything besides the spec that compiling it looks at: each file, and a folder for all that is in it."""
    migration = spec.migration
    yield from (spec.folder / file for _, file in _files(migration))
    for _, code, _ in _codes(migration):
        if not code.startswith(_BUILTIN):
            yield spec.folder / code


def _files(migration: Migration) -> Iterator[tuple[SpecPath, str]]:
    files: list[tuple[SpecPath, str | None]] = [(("source", "database", "tls", "ca"), migration.source.database.tls.ca)]
    rehearsal = migration.rehearsal
    for key, file in (
        ("schema", rehearsal.schema_file),
        ("workload", rehearsal.workload),
        ("old_api", rehearsal.old_api),
    ):
        files.append((("rehearsal", key), file))
    for name, extension in migration.extensions.items():
        files.append((("extensions", name, "patch"), extension.patch))
        files.append((("extensions", name, "stack"), extension.stack))
    yield from ((path, file) for path, file in files if file is not None)


def code(spec: Spec) -> Iterator[Diagnostic]:
    """Code is there and holds the handler's module."""
    for path, name, handler in _codes(spec.migration):
        if name.startswith(_BUILTIN):
            yield from _builtin(spec, path, name.removeprefix(_BUILTIN), handler)
        else:
            yield from _own(spec, path, name, handler)


def _codes(migration: Migration) -> Iterator[tuple[SpecPath, str, str]]:
    """Yield the path in the spec of each function behind the load balancer, its code, and its handler."""
    yield ("api",), migration.api.code, migration.api.handler
    for name, route in migration.api.routes.items():
        yield ("api", "routes", name), route.code or migration.api.code, route.handler


def _own(spec: Spec, path: SpecPath, name: str, handler: str) -> Iterator[Diagnostic]:
    module = handler.rpartition(".")[0].replace(".", "/")
    wanted = (f"{module}.py", f"{module}/__init__.py")
    folder = spec.folder / name
    if folder.is_dir():
        there = any(_is_file(folder / file) for file in wanted)
    elif _is_file(folder) and zipfile.is_zipfile(folder):
        with zipfile.ZipFile(folder) as archive:
            there = not set(wanted).isdisjoint(archive.namelist())
    else:
        yield _no_file(spec, (*path, "code"), name, "neither a folder nor a zip file")
        return
    if not there:
        message = f"{name} holds no {wanted[0]}, where the handler {handler} should be"
        hint = "write module.path.function as seen from the code's top"
        yield spec.finding("PMG215", (*path, "handler"), message, hint)


def _builtin(spec: Spec, path: SpecPath, name: str, handler: str) -> Iterator[Diagnostic]:
    expected = BUILTIN_HANDLERS.get(name)
    if expected is None:
        known = " or ".join(_BUILTIN + builtin for builtin in BUILTIN_HANDLERS)
        yield spec.finding("PMG214", (*path, "code"), f"there is no built-in code {quote(name)}", f"write {known}")
    elif handler != expected:
        message = f"the built-in {name} has no handler {handler}"
        hint = f"write {expected}, or leave the key out" if path == ("api",) else f"write {expected}"
        yield spec.finding("PMG215", (*path, "handler"), message, hint)


def _no_file(spec: Spec, path: SpecPath, file: str, why: str) -> Diagnostic:
    hint = "write a path relative to the folder of the spec"
    return spec.finding("PMG213", path, f"{quote(file)}: {why} beside {spec.file}", hint)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name no file can have
        return False
