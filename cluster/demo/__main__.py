"""`python -m cluster.demo`."""

import sys

from cluster.demo.road import main

if __name__ == "__main__":
    sys.exit(main())
