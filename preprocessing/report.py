"""The data report of a build: `report.html`, one page with pictures, and `report.json`, the same figures.

    python -m preprocessing.report shards/ [--output FOLDER]

The figures come from the manifest; of the shards one is read, for the rows that the page shows.
"""

import sys
from collections.abc import Sequence

from preprocessing.arguments import OptionParser, add_storage_options
from preprocessing.errors import PreprocessingError
from preprocessing.shards import Manifest
from preprocessing.shards.report import write_report
from preprocessing.storage import location


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m preprocessing.report", __doc__.split("\n")[0], remote=True)
    parser.add_argument("folder", type=location, help="folder of a build: what its --output named")
    parser.add_argument("--output", type=location, help="folder for the report (default: that of the build)")
    add_storage_options(parser)
    try:
        arguments = parser.parse_args(argv)
        output = arguments.output or arguments.folder
        write_report(Manifest.read(arguments.folder), arguments.folder, output)
    except PreprocessingError as error:
        print(f"preprocessing.report: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{output / 'report.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
