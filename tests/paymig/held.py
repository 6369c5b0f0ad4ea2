"""A spec whose switchover can be held at its fence: an invariant of it waits for a lock in the target."""

import shutil
from pathlib import Path

from tests.examples import SPECS

KEY = 7
"""Of the lock: whoever holds it holds every switchover at the fence."""
_CHANGED = {
    "  invariants:\n": f"  invariants:\n    - {{name: met, sql: 'SELECT pg_advisory_xact_lock_shared({KEY})::text'}}\n",
    "pause_budget: 5s, approval: second-person": "pause_budget: 25s, approval: none",
}


def held_spec(folder: Path) -> Path:
    """Write the spec, and the files that it names, into a folder."""
    shutil.copytree(SPECS, folder, dirs_exist_ok=True)
    file = folder / "logical-vpn.yaml"
    text = file.read_text()
    for old, new in _CHANGED.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file
