"""The benchmarks that `python -m benchmarks` runs, in their order, and the peers that they compare with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A figure that says how many times as fast as a peer this project is."""

    what: str
    peer: str
    """The distribution, as `pip` names it."""
    figure: str
    """Dotted name of the figure in what the benchmark prints."""


@dataclass(frozen=True)
class Case:
    """A benchmark: `python -m benchmarks.NAME` with options."""

    name: str
    what: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    """Options of `--quick`, which shows that the command works and measures nothing of worth."""
    needs: str = ""
    """Option of `python -m benchmarks` that must name what this one reads: it stands for `{}` in `options`."""
    ratios: tuple[Ratio, ...] = ()

    def words(self, *, quick: bool, given: str = "") -> tuple[str, ...]:
        """What stands behind `python`."""
        options = [word.replace("{}", given) for word in self.options]
        return ("-m", f"benchmarks.{self.name}", *options, *(self.quick if quick else ()))


_MODELS = ("large-128", "large-512", "base-128", "base-512", "mini-128")

CASES = (
    Case(
        "wikitext",
        "Wikipedia's markup to text: speed, and fidelity to the reference",
        quick=("--pages", "20"),
        ratios=(Ratio("markup to text", "mwparserfromhell", "wikitext_over_mwparserfromhell"),),
    ),
    Case(
        "tokenizing",
        "sentences to ids",
        quick=("--copies", "2", "--repeats", "1"),
        ratios=(
            Ratio("sentences to ids", "tokenizers", "tokenizing_over_tokenizers"),
            Ratio("sentences to ids", "transformers", "tokenizing_over_transformers"),
        ),
    ),
    Case(
        "loader",
        "shards to packed batches",
        quick=("--sequence-length", "32"),
        ratios=(Ratio("shards to batches", "datasets", "loader_over_datasets"),),
    ),
    Case(
        "pretraining",
        "a training step, and what it waits for data",
        quick=("--only", "mini-128", "--rounds", "1"),
        ratios=tuple(
            Ratio(f"training step, {name}", "transformers", f"step_over_transformers.{name}") for name in _MODELS
        ),
    ),
    Case(
        "preprocessing", "a build: speed, memory, two workers", quick=("--size", "1", "--dumps", "4", "--repeats", "1")
    ),
    Case("build_stages", "where the time of a build goes", quick=("--repeats", "1")),
    Case("build_growth", "a build of more text", quick=("--times", "1", "--workers", "1", "--size", "1")),
    Case(
        "build_scale",
        "a build of many splits",
        ("--splits", "2000", "--buckets", "1000"),
        ("--splits", "20", "--buckets", "20"),
    ),
    Case("parsed_corpus", "a corpus that is parsed once", quick=("--copies", "1")),
    Case("near_duplicates", "near-duplicates, after signatures", quick=("--documents", "2000", "--splits", "4")),
    Case("remote_files", "reading from S3", quick=("--megabytes", "1", "--repeats", "2")),
    Case("manifest", "opening the manifest of a large build", quick=("--buckets", "50")),
    Case("packing", "micro-batches of fixed shapes", quick=("--steps", "20", "--rounds", "1")),
    Case("micro_batches", "a step by the size of its micro-batches", quick=("--sequences", "2", "--rounds", "1")),
    Case("memory", "memory of a training process over its steps", quick=("--steps", "4", "--every", "2")),
    Case("dropout", "dropout with keys", quick=("--rounds", "1")),
    Case("kernels", "attention and loss by code for the CPU", quick=("--rounds", "1")),
    Case("precision", "bfloat16 on this processor", quick=("--rounds", "1")),
    Case("compile_time", "what torch.compile takes", quick=("--layers", "1")),
    Case("scale", "what many ranks cost besides their GPUs", quick=("--only", "opening")),
    Case("waits", "operations that would wait for a GPU, counted", quick=("--only", "model, float32")),
    Case("coverage", "how often intervals cover what they should", quick=("--repetitions", "20")),
    Case("sources", "books and dumps to sentences", ("--books", "{}/*.txt", "--wikipedia", "{}/*.bz2"), (), "texts"),
    Case("sentences", "where sentences end", ("{}",), (), "rules"),
    Case("encodings", "encodings that are found", ("--translations", "{}"), ("--repeats", "1"), "translations"),
    Case(
        "finetuning",
        "fine-tuning next to the Trainer of transformers",
        ("--data", "{}"),
        ("--seeds", "1"),
        "data",
    ),
)
