"""`python -m paymig.embedded`: serve the embedded AWS until interrupted."""

import sys

from paymig.embedded.server import main

sys.exit(main())
