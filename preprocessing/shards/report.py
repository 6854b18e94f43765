"""The data report of a build: `report.html`, one page with pictures, and `report.json`, the same figures.

    python -m preprocessing.report shards/ [--output FOLDER]

The figures come from the manifest; of the shards one is read, for the rows that the page shows.
"""

import json
from typing import Any

from preprocessing.atomic_file import write_text
from preprocessing.examples.statistics import ExampleStatistics
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.report_page import render
from preprocessing.shards.report_rows import rows_or_reason
from preprocessing.storage import Location
from preprocessing.tally import OTHER_TEMPLATES, Tally

LOST_TEMPLATES_SHOWN = 20


def summarise(manifest: Manifest) -> dict[str, Any]:
    """All figures of the report as plain data; shares are fractions of one."""
    tally = Tally.from_json(manifest.tally)
    corpus = manifest.corpus
    return {
        "fingerprint": manifest.fingerprint,
        "documents": {
            "in": tally.documents_in,
            "out": tally.documents_out,
            "dropped": tally.dropped,
            "heldout": corpus.heldout_documents,
        },
        "duplicates": {reason: count for reason, count in tally.dropped.items() if "duplicate" in reason},
        "other_counters": {
            name: count
            for name, count in sorted(tally.counters.items())
            if not name.startswith(("dropped.", "documents_"))
        },
        "rejected_sample": [{"locator": item.locator, "reason": item.reason} for item in tally.rejections],
        "damage_sample": [{"locator": item.locator, "reason": item.reason} for item in tally.damage],
        "notes": [{"locator": item.locator, "reason": item.reason} for item in tally.notes],
        "sources": {
            source: {
                "documents": documents,
                "sentences": corpus.sentences_by_source.get(source, 0),
                "tokens": corpus.tokens_by_source.get(source, 0),
                "text_bytes": corpus.text_bytes_by_source.get(source, 0),
                "unknown_share": _share(
                    corpus.unknown_tokens_by_source.get(source, 0), corpus.tokens_by_source.get(source, 0)
                ),
            }
            for source, documents in sorted(corpus.documents_by_source.items())
        },
        "unknown_share": _share(corpus.unknown_tokens, corpus.tokens),
        "examples": {
            place: _examples(place, statistics, _histogram(manifest, place))
            for place, statistics in sorted(manifest.statistics.items(), key=_by_split_and_length)
        },
        "lost_templates": _lost_templates(tally),
        "inputs": [record.model_dump() for record in manifest.inputs],
        "buckets": manifest.buckets,
        "vocabulary_size": manifest.vocabulary_size,
        "configuration": manifest.configuration,
    }


def write_report(manifest: Manifest, folder: Location, output: Location | None = None) -> None:
    """Writes `report.json` and `report.html` of the build in `folder`, into it or into `output`."""
    summary = summarise(manifest)
    output = output or folder
    write_text(output / "report.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    write_text(output / "report.html", render(summary, *rows_or_reason(folder, manifest)))


def _lost_templates(tally: Tally) -> list[dict[str, Any]]:
    """Those first that no table knows and that stood inside lines of text, since there a sentence has a hole."""
    inline = tally.inline_templates
    ranked = sorted(
        tally.lost_templates.items(), key=lambda item: (item[0] == OTHER_TEMPLATES, -inline[item[0]], -item[1], item[0])
    )
    return [
        {
            "name": name,
            "characters": characters,
            "inline": inline[name],
            "places": tally.template_places.get(name, []),
        }
        for name, characters in ranked[:LOST_TEMPLATES_SHOWN]
    ]


def _examples(place: str, statistics: ExampleStatistics, histogram: dict[int, int]) -> dict[str, Any]:
    length = int(place.rpartition("/")[2])
    rates = {
        pieces: _share(statistics.masked_pieces_by_length.get(pieces, 0), pieces * words)
        for pieces, words in sorted(statistics.words_by_length.items())
    }
    maskable = sum(pieces * words for pieces, words in statistics.words_by_length.items())
    return {
        "length": length,
        "rows": statistics.rows,
        "tokens": statistics.tokens,
        "fill": _share(statistics.tokens, statistics.rows * length),
        "random_share": _share(statistics.random_pairs, statistics.rows),
        "masked_tokens": statistics.masked_tokens,
        "masked_per_example": _share(statistics.masked_tokens, statistics.rows),
        "mask_rate": _share(statistics.masked_tokens, maskable),
        "shown_as_mask": _share(statistics.masked_as_mask, statistics.masked_tokens),
        "shown_as_random": _share(statistics.masked_as_random, statistics.masked_tokens),
        "shown_as_original": _share(statistics.masked_as_original, statistics.masked_tokens),
        "truncated_tokens": statistics.truncated_tokens,
        "documents_without_examples": statistics.documents_without_examples,
        "documents_alone": statistics.documents_alone,
        "mask_rate_by_word_length": rates,
        "rows_by_source": statistics.rows_by_source,
        "length_histogram": histogram,
    }


def _histogram(manifest: Manifest, place: str) -> dict[int, int]:
    split, _, length = place.partition("/")
    return manifest.records(split, int(length)).length_histogram()


def _by_split_and_length(item: tuple[str, ExampleStatistics]) -> tuple[bool, int]:
    split, _, length = item[0].partition("/")
    return split != "train", int(length)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
