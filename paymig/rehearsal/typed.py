"""A command of paymig as an operator types it, in a process that ends with the rehearsal."""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import partial

from paymig.rehearsal.child import end_with_parent


def main() -> None:
    """Run `paymig` with this process's arguments; standard input stays open for as long as the rehearsal lives."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    from paymig.cli import main as paymig
    from paymig.replication import engines

    engines.engine_for = partial(engines.engine_for, stand_in="logical")
    if skew := float(os.environ.get("PAYMIG_REHEARSED_SKEW", "0")):
        from runtime_lambdas.runtime.journal import journal

        journal._now = lambda: datetime.now(UTC) + timedelta(seconds=skew)
    terms: dict[str, object] = {"speed": float(os.environ.get("PAYMIG_REHEARSED_SPEED", "1"))}
    if os.environ.get("PAYMIG_REHEARSED_GATES") == "off":
        terms["judge"] = lambda _: ()
    paymig(sys.argv[1:], terms=terms)


if __name__ == "__main__":
    main()
