"""Run the command line with ``python -m enlevohub_api``."""

import sys

from enlevohub_api.cli import main

sys.exit(main())
