"""Whether a text is one SELECT and nothing else."""

import re

# In the order PostgreSQL's lexer would try them; whoever opens one and does not close it falls to the last.
_OPAQUE = re.compile(
    r"""--[^\n]*"""
    r"""|(?P<comment>/\*)"""
    r"""|[eE]'(?:[^'\\]|\\.|'')*'"""
    r"""|'(?:[^']|'')*'"""
    r'''|"(?:[^"]|"")*"'''
    r"""|\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$"""
    r"""|(?P<open>['"])""",
    re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
_WORD = re.compile(r"[A-Za-z_]\w*")
_WRITES = frozenset(("insert", "update", "delete", "merge", "into", "truncate", "create", "drop", "alter", "grant"))


def why_not_select(sql: str) -> str | None:
    """Return what keeps a text from being a single SELECT that changes nothing, or None."""
    bare = _without_opaque(sql)
    if bare is None:
        return "a quote or a comment is opened and never closed"
    statement = bare.strip()
    statement = statement[:-1].rstrip() if statement.endswith(";") else statement
    if ";" in statement:
        return "it holds more than one statement"
    words = [word.lower() for word in _WORD.findall(statement)]
    if not words or not statement[:1].isalpha() or words[0] not in ("select", "with"):
        return "it does not start with SELECT or WITH"
    if "select" not in words:
        return "it selects nothing"
    for position, word in enumerate(words):
        if word in _WRITES:
            return f"{word.upper()} would change or lock data"
        if word == "for" and words[position + 1 : position + 2] in (["share"], ["key"]):
            return "FOR SHARE would lock data"
    return None


def _without_opaque(sql: str) -> str | None:
    """Replace comments, literals and quoted names by spaces; None where one does not end."""
    parts, position = [], 0
    while (match := _OPAQUE.search(sql, position)) is not None:
        if match["open"]:
            return None
        parts.append(sql[position : match.start()])
        position = match.end()
        if match["comment"]:
            end = _end_of_comment(sql, position)
            if end is None:
                return None
            position = end
    return " ".join([*parts, sql[position:]])


def _end_of_comment(sql: str, start: int) -> int | None:
    """Return where a comment ends; in PostgreSQL comments nest."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return None
