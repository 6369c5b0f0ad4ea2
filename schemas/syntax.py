"""YAML syntax errors in words that say how to mend them."""

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from schemas.diagnostics import Diagnostic, Span

_INDENTATION = "check the indentation of this line and of the one before it"
# What the parser says, by its beginning, and what people can do with.
_WORDS = (
    ("found character '\\t' that cannot start", "a tab cannot indent", "indent with spaces"),
    ("found character", "a value cannot start with this character", "quote the value"),
    (
        "mapping values are not allowed here",
        "a colon that starts a value cannot stand here",
        f"{_INDENTATION}, or quote the text that holds the colon",
    ),
    ("could not find expected ':'", "a key without its colon", f"write `key: value`, and {_INDENTATION}"),
    ("found unexpected end of stream", "a quote is opened and never closed", "close the quote"),
    ("found unknown escape character", "an escape that YAML does not know", "write \\\\ for a backslash in quotes"),
    ("expected <block end>", "this does not continue the mapping or list before it", _INDENTATION),
    ("expected '<document start>'", "this does not continue what is before it", _INDENTATION),
)
_UNCLOSED = ("a bracket or brace is opened and never closed", "close it")

# The parser notices these far behind the place that must be mended.
_SEEN_LATE = ("could not find expected ':'", "found unexpected end of stream")


def syntax_error(error: YAMLError, text: str, file: str) -> Diagnostic:
    """Turn what the parser raised for `text` into a diagnostic at the guilty character."""
    if isinstance(error, ReaderError):
        before = text[: error.position].splitlines() or [""]
        span = Span(len(before), len(before[-1]) + 1, len(before), len(before[-1]) + 2)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        return Diagnostic.at(span, "PMG002", message, file=file, hint="delete it, or write it as an escape in quotes")
    if not isinstance(error, MarkedYAMLError):
        return Diagnostic.at(Span(1, 1, 1, 1), "PMG002", str(error), file=file)
    problem = str(error.problem)
    late = problem in _SEEN_LATE
    message, hint = next((words[1:] for words in _WORDS if problem.startswith(words[0])), (problem, _INDENTATION))
    if str(error.context).startswith("while parsing a flow") and "<stream end>" in problem:
        late, (message, hint) = True, _UNCLOSED
    mark = (error.context_mark if late else None) or error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Diagnostic.at(Span(line, column, line, column + 1), "PMG002", message, file=file, hint=hint)
