"""How many of a job's nodes a run can use: as many as its batch divides among.

    python -m cluster.fitting_nodes --nodes 3 --ranks-per-node 8 --config RECIPE.toml [--section.key value ...]

Takes the arguments of `pretraining/main.py` as well, and prints a number from 1 to `--nodes`: a job that lost one
of four nodes goes on with two where its batch does not divide among three. Why is said on stderr. Exit code 2 and one
sentence where the recipe is wrong, or no number of nodes fits.
"""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the number; returns the exit code."""
    from pretraining.configuration.recipe import recipe_of, recipe_parser
    from pretraining.errors import PretrainingError

    text = "Prints how many of so many nodes a pretraining run can use, as its batch has to divide among the ranks."
    parser = recipe_parser("python -m cluster.fitting_nodes", text)
    parser.add_argument("--nodes", type=int, required=True, help="how many nodes there are")
    parser.add_argument("--ranks-per-node", type=int, required=True, help="how many ranks each of them has")
    try:
        given = parser.parse_args(argv)
        training = recipe_of(given).training
        print(fitting_nodes(given.nodes, given.ranks_per_node, training.batch_size, training.least_micro_batch_size))
    except PretrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def fitting_nodes(nodes: int, ranks_per_node: int, batch_size: int, micro_batch_size: int) -> int:
    """The greatest number of nodes, `nodes` at most, among whose ranks the batch divides.

    Raises `PretrainingError`, with what is wrong with `nodes`, where there is none.
    """
    from pretraining.data.batching import micro_batches_per_rank
    from pretraining.errors import PretrainingError

    reason: PretrainingError | None = None
    for fewer in range(nodes, 0, -1):
        try:
            micro_batches_per_rank(batch_size, micro_batch_size, fewer * ranks_per_node)
        except PretrainingError as error:
            reason = reason or error
            continue
        if reason is not None:
            print(f"of {nodes} nodes {fewer} are used: {reason}", file=sys.stderr)
        return fewer
    raise reason or PretrainingError(f"--nodes {nodes} must be 1 at least")


if __name__ == "__main__":
    sys.exit(main())
