"""Where paymig keeps what can be made again. It imports next to nothing: see `paymig.stamp`."""

import os
import time

_KEPT = 30 * 86_400


def folder() -> str:
    """Return `$PAYMIG_CACHE_DIR`, else paymig's place in the user's cache folder."""
    if chosen := os.environ.get("PAYMIG_CACHE_DIR"):
        return chosen
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "paymig")


def keep(path: str, text: str) -> None:
    """Write a file of the cache whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
    os.replace(draft, path)


def read(path: str) -> str | None:
    """Return a file of the cache; None where there is none that can be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return None


def prune(home: str) -> None:
    """Delete the files of one of its folders that were written more than 30 days ago: making one again is cheap."""
    oldest = time.time() - _KEPT
    with os.scandir(home) as entries:
        for entry in entries:
            try:
                if entry.stat().st_mtime < oldest:
                    os.unlink(entry.path)
            except FileNotFoundError:  # another process was faster
                continue
