"""Knowing that a command would write again what it wrote before, without running it.

A stamp belongs to a command line in a folder. It holds the signatures of all files that the command read, of all code
that it ran and of all files that it wrote, and what it said. A signature is of a file's inode, size, permissions and
the times of its last change, one of which nobody can set back; so no file has to be read to see that it is the same.

The module imports next to nothing: looking at a stamp costs little more than starting Python.
"""

from __future__ import annotations

import os
import sys
import time
import zlib

from compiler import cache

TYPE_CHECKING = False  # as type checkers read it; importing `typing` or `collections.abc` costs half of starting Python
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FORMAT = "1"
_WHOLE = ("compiler", "runtime_lambdas", "schemas")  # they read their own files, too
_SECOND = 1_000_000_000
# Two changes nearer than this can bear the same time; a file system that keeps whole seconds needs more.
_GRANULE, _COARSE_GRANULE = _SECOND // 50, 2 * _SECOND

State = tuple[str, str]
"""A path and what identifies its content: a file's signature, or a folder's names where the path ends in a slash."""


class Stamp:
    """The stamp of one command line, to be made when the command starts.

    Args:
        arguments: the command line without the program.
    """

    def __init__(self, arguments: Iterable[str]) -> None:
        self._started = time.time_ns()
        place = [_FORMAT, sys.version, sys.executable, os.getcwd(), str(sys.stdout.isatty()), *sys.path]
        self._request = "\n".join([*place, "", *arguments])
        name = f"{zlib.crc32(self._request.encode(errors='surrogateescape')):08x}"
        self._path = os.path.join(cache.folder(), "stamps", name)

    def said(self) -> str | None:
        """Return what the command printed when running it again would change nothing, else None."""
        request, *parts = (cache.read(self._path) or "").split("\0")
        if request != self._request or len(parts) % 2 == 0:
            return None
        said, *state = parts
        for path, recorded in zip(state[::2], state[1::2], strict=True):
            if recorded != (_names(path) if path.endswith("/") else _signature(path)):
                return None
        return said

    def keep(self, said: str, read: Iterable[str], written: Iterable[str]) -> None:
        """Write the stamp of a command that succeeded.

        There is none where something was changed while the command ran, or so shortly before it that the time of the
        change does not tell the two apart: what was read may be older than what is there.

        Args:
            said: what it printed.
            read: the files and folders that it read, besides code.
            written: the files and folders that it wrote.
        """
        inputs = [state for path in read for state in _states(path)]
        code = list(_code())
        changed = [*inputs, *(state for state in code if not state[0].endswith("/"))]
        if any(self._is_fresh(path, identity) for path, identity in changed):
            return
        output = [state for path in written for state in _states(path)]
        parts = [part for state in (*inputs, *code, *output) for part in state]
        cache.keep(self._path, "\0".join([self._request, said, *parts]))
        cache.prune(os.path.dirname(self._path))

    def _is_fresh(self, path: str, identity: str) -> bool:
        """Whether a file, or what a folder lists, was changed since the command started, or nearly so."""
        signature = _signature(path) if path.endswith("/") else identity
        if not signature:
            return True  # it is gone
        changed = int(signature.rpartition(" ")[2])
        return changed > self._started - (_GRANULE if changed % _SECOND else _COARSE_GRANULE)


def _code() -> Iterator[State]:
    """The packages that a compile is made of, every other module that is loaded, and what is installed beside them."""
    home = os.path.dirname(os.path.dirname(cache.__file__))
    own = [os.path.join(home, package, "") for package in _WHOLE]
    for package in own:
        yield from _states(package)
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for file in sorted(file for file in loaded if file and os.path.dirname(file) and not file.startswith(tuple(own))):
        yield file, _signature(file)
    for folder in sys.path:
        if folder.endswith(("site-packages", "dist-packages")):
            yield f"{folder}/", _names(folder)


def _states(path: str) -> Iterator[State]:
    """Yield a file, or a folder and all that is in it, by absolute paths."""
    path = os.path.abspath(path)
    if not os.path.isdir(path):
        yield path, _signature(path)
        return
    names = _names(path)
    yield f"{path}/", names
    for name in names.split("/") if names else ():
        yield from _states(os.path.join(path, name))


def _signature(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mode} {found.st_mtime_ns} {found.st_ctime_ns}"


def _names(folder: str) -> str:
    """List a folder, without what Python keeps there; a slash can't be part of a name."""
    try:
        return "/".join(sorted(name for name in os.listdir(folder) if name != "__pycache__"))
    except OSError:
        return "/"
