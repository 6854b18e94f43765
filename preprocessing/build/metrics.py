"""What a build has read, dropped and written, as metrics of the runner: what its own pages and tools show.

They are a view: the report is made from the files. They count what was there already, too, so a resumed build's are
those of the whole. A runner without metrics (Dask) ignores them.
"""

from apache_beam.metrics import Metrics

from preprocessing.build.buckets import BucketResult
from preprocessing.tally import DROPPED, Tally

NAMESPACE = "preprocessing"


def count_tally(tally: Tally, size: int) -> None:
    """`bytes_in` of input, and the tally's counters by their names: `documents_in`, `dropped.redirect` and others."""
    _add({"bytes_in": size, **tally.counters})


def count_examples(result: BucketResult) -> None:
    """`documents_written`, `examples.train/128` and so on, `shards`, `bytes_out`, and what the bucket dropped."""
    dropped = {DROPPED + reason: amount for reason, amount in Tally.from_json(result.tally).dropped.items()}
    examples = {f"examples.{place}": found.rows for place, found in result.statistics.items()}
    size = sum(shard.bytes for shard in result.shards) + result.documents.bytes
    _add({"documents_written": result.documents.rows, "shards": len(result.shards), "bytes_out": size})
    _add(examples | dropped)


def _add(amounts: dict[str, int]) -> None:
    for name, amount in amounts.items():
        if amount:
            Metrics.counter(NAMESPACE, name).inc(amount)
