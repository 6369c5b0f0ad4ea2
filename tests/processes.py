"""Processes that a test interrupts."""

import sys

PAYMIG = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from paymig.__main__ import main; main()",
)
"""`paymig`, which Ctrl-C reaches even where the tests run in the background: what a shell starts there ignores it."""
