"""`python -m paymig`."""

from paymig.cli import main

main()
