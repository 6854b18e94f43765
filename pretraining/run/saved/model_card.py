"""The card of an exported model, from what its run left: recipe, metrics, and the manifests of its shards."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from pretraining.configuration.tables import Recipe
from pretraining.model.config import BertConfig
from pretraining.model_card import lineage
from pretraining.model_card.card import Card, Score, write_card
from pretraining.model_card.code_version import code_version, package_versions
from pretraining.model_card.markdown import block, number, plain, table, with_error
from pretraining.model_card.usage import USAGES
from pretraining.planning.memory import parameter_count
from pretraining.run.initial_weights import export_folder
from pretraining.run.metrics import read_metrics
from pretraining.run.saved.saved_run import read_recipe

PACKAGES = ("torch", "deepspeed", "numpy", "pyarrow", "tokenizers")
ARCHITECTURE = "BertForPreTraining"
FIGURES = {
    "loss": "loss, nats (both tasks)",
    "mlm_loss": "masked tokens: loss, nats",
    "mlm_accuracy": "masked tokens: accuracy",
    "nsp_loss": "next sentence: loss, nats",
    "nsp_accuracy": "next sentence: accuracy",
}


@dataclass(frozen=True)
class _Shards:
    """What is known of one folder of shards: its manifest, or only its name where it is no longer there."""

    folder: str
    found: ShardSet | None

    @property
    def languages(self) -> tuple[str, ...]:
        code = self._configured("source", "language")
        return (str(code),) if code else ()

    @property
    def objective(self) -> str:
        """What the second segment of an example is, as the build's option `--objective` calls it."""
        return str(self._configured("examples", "objective") or "next-sentence")

    def _configured(self, part: str, key: str) -> Any:
        """A setting of the build; None where its configuration does not say."""
        table = self.found.manifest.configuration.get(part) if self.found is not None else None
        return table.get(key) if isinstance(table, dict) else None


def describe_export(
    folder: Path, run: Path, model: BertConfig, step: int, before: Path, sections: Sequence[tuple[str, str]] = ()
) -> None:
    """Writes `lineage.json` and the card into an export, whose weights and `config.json` are there.

    Args:
        folder: the export.
        run: the folder of the run.
        model: its configuration.
        step: which of the run's steps the weights are of.
        before: the folder that the export will take the place of, whose README somebody may have written.
        sections: title and Markdown of what else the card says, behind the held-out figures.
    """
    recipe = read_recipe(run)
    shards = [_opened(name) for name in recipe.data.shards]
    source = recipe.init.from_
    steps = lineage.write_lineage(
        folder,
        lineage.read_lineage(export_folder(Path(source))) if source else [],
        _step(recipe, shards, step),
    )
    card = _card(recipe, model, read_metrics(run / "metrics.jsonl"), shards, steps, step, sections)
    write_card(folder, card, before)


def _opened(name: str) -> _Shards:
    try:
        return _Shards(name, ShardSet.open(name))
    except (PreprocessingError, OSError):
        return _Shards(name, None)


def _step(recipe: Recipe, shards: Sequence[_Shards], step: int) -> lineage.Step:
    """What the last step of the lineage says."""
    return {
        "step": "pretraining",
        "run": recipe.output.folder,
        "training step": step,
        "shards": [one.found.fingerprint if one.found else None for one in shards],
        "languages": list(dict.fromkeys(code for one in shards for code in one.languages)),
        # At the end of a run that is what trained; a checkpoint may be exported by other code, later.
        "exported by": code_version(),
        "with packages": package_versions(PACKAGES),
    }


def _card(
    recipe: Recipe,
    model: BertConfig,
    lines: Sequence[dict[str, Any]],
    shards: Sequence[_Shards],
    steps: Sequence[lineage.Step],
    step: int,
    sections: Sequence[tuple[str, str]],
) -> Card:
    size = f"{model.num_hidden_layers} layers of width {model.hidden_size}"
    held_out = {
        str(line["source"]): line for line in lines if line.get("event") == "evaluation" and line["step"] == step
    }
    figures = _figures_of(shards)
    logged = [line for line in lines if "event" not in line and line["step"] <= step]
    return Card(
        name=f"BERT, {size}, step {step}",
        summary=(
            f"A BERT of {parameter_count(model):,} parameters ({size}, {model.num_attention_heads} heads, "
            f"{model.vocab_size:,} pieces, {model.max_position_embeddings} positions) in the layout of Hugging Face, "
            "with the heads for masked tokens and for the next sentence (Devlin et al. 2018)."
        ),
        sections=(
            ("Use", block(USAGES[ARCHITECTURE].code, "python") + _NOTE_ON_USE),
            ("Meant for, and limits", _LIMITS),
            ("Held-out figures", _figures(held_out, figures)),
            *sections,
            ("Data", _data(recipe, shards)),
            ("Training", _training(recipe, logged, [line for line in lines if line.get("step", 0) <= step])),
            ("Lineage", lineage.as_list(steps)),
            ("Licence", _LICENCE),
        ),
        pipeline_tag=USAGES[ARCHITECTURE].pipeline_tag,
        languages=lineage.languages(steps),
        tags=("pretraining",),
        scores=_scores(held_out, figures, recipe),
    )


_NOTE_ON_USE = """

`FOLDER` is the folder of this card. `pipeline` says that the weights of the next-sentence head and of the pooler are
not used: it fills gaps without them.
"""

_LIMITS = """\
Meant as a start for fine-tuning, and for looking at what pretraining has learnt. It writes no text and answers no
question by itself. What it puts into a gap is what is likely after its training text, not what is true; it takes over
the prejudices, gaps and errors of that text, and nobody has measured these for this model. Nothing here says how it
does on other languages, on text of another kind than that below, or after fine-tuning: measure it there.
"""

_LICENCE = """\
Not chosen: `license: unknown` above is for whoever publishes the weights to replace, with a view to the licences of the
text that they were trained on.
"""


def _figures(held_out: dict[str, dict[str, Any]], figures: dict[str, str]) -> str:
    if not held_out:
        return "Not measured at this step; `python -m pretraining.evaluate` measures any export on shards."
    rows = [
        [text, *(with_error(line[key], line.get(f"{key}_error")) for line in held_out.values())]
        for key, text in figures.items()
    ]
    rows += [
        ["examples", *(number(line["sequences"]) for line in held_out.values())],
        ["masked tokens", *(number(line["masked_tokens"]) for line in held_out.values())],
    ]
    return (
        "On documents that training never saw, of the same build as the training text, in all and by source.\n\n"
        f"{table(['', *held_out], rows)}\n\n"
        "± is the standard error of the mean over these examples, taken for independent: how far another sample of\n"
        "them would be off. It says nothing of other seeds: this is one run."
    )


def _figures_of(shards: Sequence[_Shards]) -> dict[str, str]:
    """The figures that mean something for what the second segments of the examples are."""
    objectives = [one.objective for one in shards if one.found is not None]
    if objectives and all(objective == "none" for objective in objectives):
        return {key: text for key, text in FIGURES.items() if key.startswith("mlm_")}
    pair = "order of sentences" if "sentence-order" in objectives else "next sentence"
    return {key: text.replace("next sentence", pair) for key, text in FIGURES.items()}


def _scores(held_out: dict[str, dict[str, Any]], figures: dict[str, str], recipe: Recipe) -> tuple[Score, ...]:
    line = held_out.get("all", {})
    length = recipe.data.sequence_length
    return tuple(
        Score(key, float(line[key]), f"held-out documents, {length} tokens", "held-out", "heldout")
        for key in figures
        if line.get(key) is not None
    )


def _data(recipe: Recipe, shards: Sequence[_Shards]) -> str:
    parts = []
    for place, one in enumerate(shards):
        weight = f", weight {recipe.data.weights[place]}" if recipe.data.weights else ""
        if one.found is None:
            parts.append(f"Shards {plain(one.folder)}{weight}: no longer there when this card was written.")
            continue
        manifest = one.found.manifest
        corpus, counters = manifest.corpus, manifest.counters
        facts = [
            ("fingerprint of the shards", one.found.fingerprint),
            ("configuration of the build (hash)", manifest.configuration_hash),
            ("inputs (hash)", manifest.inputs_hash),
            ("tokenizer (fingerprint)", manifest.tokenizer_fingerprint),
            ("pieces of the vocabulary", number(manifest.vocabulary_size)),
            ("lengths built", ", ".join(map(str, manifest.lengths))),
            ("documents held out", number(corpus.heldout_documents)),
        ]
        facts += [
            (f"dropped: {name.removeprefix('dropped.')}", number(count))
            for name, count in sorted(counters.items())
            if name.startswith("dropped.")
        ]
        sources = [
            [
                source,
                number(documents),
                number(corpus.tokens_by_source.get(source, 0)),
                number(corpus.text_bytes_by_source.get(source, 0)),
            ]
            for source, documents in sorted(corpus.documents_by_source.items())
        ]
        parts += [
            f"Shards {plain(one.folder)}{weight}:",
            table(("source", "documents", "tokens", "bytes of clean text"), sources),
            table(("", ""), facts),
            "How the shards were made:",
            block(_as_json(manifest.configuration), "json"),
        ]
    return "\n\n".join(part for part in parts if part)


def _training(recipe: Recipe, logged: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> str:
    last = logged[-1] if logged else {}
    facts = [
        ("steps planned", number(recipe.training.steps)),
        ("sequences a step", number(recipe.training.batch_size)),
        ("tokens seen", number(last.get("tokens"))),
        ("sequences seen", number(last.get("sequences"))),
        ("passes over the data", number(last.get("epoch"))),
        ("seconds", number(None if last.get("seconds") is None else float(last["seconds"]), 0)),
        ("precision", recipe.training.precision),
        ("seed", number(recipe.training.seed)),
        ("started from", recipe.init.from_ or "random weights"),
    ]
    events = [
        [line["step"], line["event"], _as_json(line.get("settings") or line.get("why") or line.get("sentence"), None)]
        for line in lines
        if line.get("event") in ("resumed with other settings", "rewind", "remark")
    ]
    parts = [
        table(("", ""), facts),
        table(("step", "what happened", "which"), events),
        "The whole recipe, with what it leaves to its defaults:",
        block(recipe.model_dump_json(indent=1, by_alias=True), "json"),
    ]
    return "\n\n".join(part for part in parts if part)


def _as_json(value: Any, indent: int | None = 1) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, sort_keys=True)
