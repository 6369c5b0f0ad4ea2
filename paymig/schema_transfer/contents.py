"""What a dump holds, entry by entry, and which of it a section restores."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

Oid = tuple[int, int]
"""The catalogue's oid and the object's, as the source knows them."""

_LINE = re.compile(r"(\d+); (\d+) (\d+) (.*)")


class Entry(NamedTuple):
    """A line of `pg_restore --list`; `text` is "KIND schema tag owner", in which any name may hold spaces."""

    line: str
    oid: Oid
    text: str


def entries(listed: str) -> list[Entry]:
    """Read the list; its comments are left out."""
    matched = (_LINE.fullmatch(line) for line in listed.splitlines())
    return [Entry(match[0], (int(match[2]), int(match[3])), match[4]) for match in matched if match]


def before_the_load(pre: Iterable[Entry], post: Iterable[Entry], keys: Collection[Oid], attach: Iterable[str]) -> str:
    """Return the list to restore before rows are loaded: tables with their keys and row security.

    The initial copy of logical replication, and DMS, look rows up by their key while they still load; every other index
    is made faster afterwards.

    Args:
        pre: entries of the section pre-data.
        post: entries of the section post-data.
        keys: of the primary keys and of the indexes that are replica identities.
        attach: "schema name" of the indexes of partitions that belong to one of them.
    """
    attached = _attach(attach)
    chosen = [entry for entry in pre if _ours(entry)]
    chosen += [
        entry
        for entry in post
        if entry.oid in keys or entry.text.startswith("ROW SECURITY ") or _is_attach(entry, attached)
    ]
    return _list(chosen)


def after_the_load(post: Iterable[Entry], missing: Collection[Oid], attach: Iterable[str]) -> str:
    """Return the list of what the target lacks, with its comments; empty where it lacks nothing."""
    attached = _attach(attach)
    post = list(post)
    chosen = [entry for entry in post if entry.oid in missing or _is_attach(entry, attached)]
    if not chosen:
        return ""
    return _list([*chosen, *(entry for entry in post if entry.text.startswith("COMMENT ") and _ours(entry))])


def _ours(entry: Entry) -> bool:
    # The comment needs the extension's owner, who is rdsadmin on RDS; a mapping would carry a password.
    return not entry.text.startswith(("COMMENT - EXTENSION ", "USER MAPPING "))


def _attach(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"INDEX ATTACH {name} " for name in names)


def _is_attach(entry: Entry, attached: tuple[str, ...]) -> bool:
    return bool(attached) and entry.text.startswith(attached)


def _list(chosen: Iterable[Entry]) -> str:
    return "".join(f"{entry.line}\n" for entry in chosen)
