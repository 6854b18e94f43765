"""`python -m cluster.reproduction`."""

import sys

from cluster.reproduction.road import main

if __name__ == "__main__":
    sys.exit(main())
