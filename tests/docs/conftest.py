"""The pages of the site are made by modules in `docs/`, which MkDocs puts on the path; so do these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
