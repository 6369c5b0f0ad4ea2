"""From a file to a spec, or to everything that is wrong with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic_core import ValidationError

from schemas import overlays, secrets
from schemas.checks import CHECKS
from schemas.checks.files import named
from schemas.diagnostics import Diagnostic, Span, SpecError, SpecPath, has_errors, in_order
from schemas.positions import Document, place_of, read
from schemas.spec import Spec
from schemas.validate import validate
from schemas.words import quote

__all__ = ["Spec", "load", "load_all", "parse"]


def load(path: Path, environment: str | None = None) -> Spec:
    """Read a spec file.

    Args:
        path: the file; the paths in it are relative to its folder.
        environment: whose overlay to merge; None for the spec as it stands.

    Raises:
        SpecError: with every error of the spec and of each of its environments.
    """
    return parse(_text(path), str(path), path.parent, environment)


def load_all(path: Path) -> tuple[Spec, ...]:
    """Read a spec file for each of its environments, the one without an overlay first; errors as for `load`."""
    return tuple(_environments(_text(path), str(path), path.parent).values())


def parse(text: str, file: str, folder: Path, environment: str | None = None) -> Spec:
    """Read a spec's text; arguments and errors as for `load`."""
    variants = _environments(text, file, folder, environment)
    return next(iter(variants.values())) if environment is None else variants[environment]


def _environments(text: str, file: str, folder: Path, wanted: str | None = None) -> dict[str, Spec]:
    """Read a spec's text for each environment, the one without an overlay first.

    Raises:
        SpecError: with every error of the spec and of each environment, and when there is none that is called `wanted`.
    """
    document = read(text, file)
    found = list(document.diagnostics)
    variants: dict[str, Spec] = {}
    if document.data or not has_errors(found):
        found += secrets.find(document, file)
        unusable = list(found)
        for name, variant in _variants(document):
            if any(error.path == ("environments", name) for error in found):
                continue  # a name that no environment can have
            spec, errors = _validate(variant, text, file, folder)
            if spec is not None:
                variants[name] = spec
            errors = [error for error in errors if not _echoes(error, unusable)]
            found += errors if variant is document else [_in_environment(name, error, document) for error in errors]
        found += _misplaced(document, file)
        if wanted is not None:
            found += _unknown(wanted, document, file)
    if has_errors(found):
        hidden = [diagnostic.span for diagnostic in found if diagnostic.code == "PMG110"]
        raise SpecError(found, {file: secrets.blot(text, document, hidden)})
    warnings = in_order(found)
    files = frozenset(path for spec in variants.values() for path in named(spec))
    return {name: replace(spec, warnings=warnings, files=files) for name, spec in variants.items()}


def _own_name(document: Document) -> str:
    """Return the environment that the spec describes without any overlay."""
    return str(document.data.get("environment", overlays.DEFAULT))


def _variants(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield the spec as it stands, then with each overlay."""
    yield _own_name(document), document
    for name in overlays.names(document):
        if name != _own_name(document):
            yield name, overlays.apply(document, name)


def _validate(document: Document, text: str, file: str, folder: Path) -> tuple[Spec | None, list[Diagnostic]]:
    """Return the spec with what its fields contradict, or None with what is wrong with its shape."""
    try:
        migration = validate(document.data)
    except ValidationError as error:
        from schemas import shape  # a good spec starts faster without it

        return None, list(shape.diagnose(error, document.positions, file))
    spec = Spec(migration, document.positions, file, text, folder)
    return spec, [diagnostic for check in CHECKS for diagnostic in check(spec)]


def _echoes(error: Diagnostic, earlier: list[Diagnostic]) -> bool:
    """Whether an error only repeats that a value could not be used: a secret, a tag, a number without a value."""
    return any(
        error.span == cause.span or (cause.code == "PMG110" and cause.path[: len(error.path)] == error.path)
        for cause in earlier
    )


def _in_environment(name: str, error: Diagnostic, document: Document) -> Diagnostic:
    """Say which environment has an error that is not seen in its overlay alone."""
    place = document.positions["environments", name]
    if place.start[:2] <= error.span[:2] < place.value[2:]:
        return error
    return replace(error, message=f"{error.message} (in environment {quote(name)})")


def _misplaced(document: Document, file: str) -> Iterator[Diagnostic]:
    """Find overlays that change what makes them an overlay of this spec."""
    for name in overlays.names(document):
        root: SpecPath = ("environments", name)
        if name == _own_name(document):
            message = f"{quote(name)} is the environment of the spec itself"
            hint = "write its values into the sections, and overlays only for other environments"
            yield Diagnostic.at(document.positions[root].start, "PMG011", message, path=root, file=file, hint=hint)
        for key in overlays.NOT_IN_OVERLAY:
            if key in document.data["environments"][name]:
                path = (*root, key)
                span = place_of(document.positions, path).start
                message = f"an overlay cannot change {quote(key)}"
                yield Diagnostic.at(span, "PMG011", message, path=path, file=file, hint="delete the key")


def _unknown(environment: str, document: Document, file: str) -> Iterator[Diagnostic]:
    known = [_own_name(document), *overlays.names(document)]
    if environment not in known:
        from difflib import get_close_matches

        nearest = get_close_matches(environment, known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known are: {', '.join(known)}"
        span = place_of(document.positions, ("environments",)).start
        yield Diagnostic.at(span, "PMG010", f"there is no environment {quote(environment)}", file=file, hint=hint)


def _text(path: Path) -> str:
    file = str(path)

    def unreadable(message: str, hint: str, line: int = 1, column: int = 1) -> SpecError:
        span = Span(line, column, line, column + 1)
        return SpecError([Diagnostic.at(span, "PMG001", message, file=file, hint=hint)])

    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise unreadable("there is no such file", "write a first spec with: paymig init") from None
    except IsADirectoryError:
        raise unreadable("this is a folder", f"name the file in it, such as {path / 'migration.yaml'}") from None
    except OSError as error:
        raise unreadable(f"the file cannot be read: {error.strerror}", "check its permissions") from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8").splitlines(keepends=True) or [""]
        line, column = len(before), len(before[-1]) + 1
        message = f"the byte 0x{error.object[error.start]:02X} is not UTF-8"
        raise unreadable(message, "save the file as UTF-8", line, column) from None
