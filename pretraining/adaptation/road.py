"""An adaptation, step by step: shards, the start, figures before, training, figures after.

Each step leaves something complete or nothing, and is passed over where that is there: so the same command goes on
wherever it was stopped. What lies where is in `layout.py`.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from preprocessing.atomic_file import write_text
from preprocessing.folder_lock import FolderLock
from preprocessing.owned_folder import require_own
from preprocessing.shards import MANIFEST_NAME, ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.child_process import STOPPED, ChildProcesses
from pretraining.adaptation.dry_run import lines
from pretraining.adaptation.layout import OWN, WHEN
from pretraining.adaptation.mixture import examples_of
from pretraining.adaptation.new_pieces import pieces_per_word
from pretraining.adaptation.options import AdaptOptions, Training
from pretraining.adaptation.preparation import Preparation
from pretraining.adaptation.record import LOCK_NAME, RECORD_NAME, Record, claim, settle
from pretraining.adaptation.result import as_markdown, as_text, read_figures, read_result
from pretraining.adaptation.source_model import find_model
from pretraining.adaptation.vocabulary import read_pieces, write_pieces
from pretraining.errors import PretrainingError, RetryablePretrainingError


def adapt(options: AdaptOptions, training: Training) -> None:
    """Runs what is not complete and prints the table. PretrainingError for what its user can mend."""
    preparation = Preparation(options, training, find_model(options.model, options.revision))
    preparation.check()
    if options.dry_run:
        print("\n".join(lines(preparation)))
        return
    require_own(options.output, RECORD_NAME, LOCK_NAME)
    lock = FolderLock(options.output, LOCK_NAME, "choose another --output", error=PretrainingError, for_children=True)
    with lock, ChildProcesses() as children:
        record = claim(preparation.layout, preparation.identity())
        if preparation.layout.result.is_file():
            print(f"{options.output} is complete already: nothing to do.")
        else:
            Road(preparation, children).run(record)
        print(f"\n{as_text(read_result(preparation.layout.result))}\n\nThe adapted model: {preparation.layout.export}")


class Road:
    """The steps of one adaptation, in their order."""

    def __init__(self, preparation: Preparation, children: ChildProcesses) -> None:
        self.preparation, self.children = preparation, children
        self.options, self.source, self.layout = preparation.options, preparation.source, preparation.layout

    def run(self, record: Record) -> None:
        """What is not complete yet."""
        self._start_and_shards()
        mixture = self.preparation.mixture
        sets = {text: ShardSet.open(folder) for text, folder in self.preparation.texts.items()}
        settle(self.layout, record, {text: shards.fingerprint for text, shards in sets.items()})
        measured = [
            text for text, shards in sets.items() if examples_of(shards, "heldout", self.options.sequence_length)
        ]
        self._measure(measured, "before")
        steps = self._train()
        self._measure(measured, "after")
        self._conclude(
            {
                "model": self.options.model,
                "weights": self.source.weights,
                "drawn_at_random": list(self.source.absent),
                "objective": self.preparation.objective,
                "steps": steps,
                "mixture": asdict(mixture),
                "replay": list(self.options.replay),
                "heldout_documents": sets[OWN].manifest.corpus.heldout_documents,
                "held_out": {
                    text: {when: read_figures(self.layout.figures(text, when)) for when in WHEN} for text in measured
                },
            }
        )

    def _start_and_shards(self) -> None:
        layout, sources = self.layout, self.options.sources
        if self.options.new_pieces:
            first = self.preparation.build_command(layout.first_shards, self.source.folder, sources)
            self._build(layout.first_shards, first, "your text, as the vocabulary cuts it now")
            self.children.go_on()
            shards, positions = ShardSet.open(layout.first_shards), self.source.config.max_position_embeddings
            length, most = self.options.sequence_length, self.options.new_pieces
            write_pieces(layout.pieces, shards, length, self.source.tokenizer, most, positions)
        self._write_start()
        self._build(layout.shards, self.preparation.build_command(layout.shards, layout.start, sources), OWN)
        if self.preparation.builds_general:
            self._build(layout.replay, self.preparation.general_command(), "general text")

    def _build(self, output: Path, words: Sequence[str], what: str) -> None:
        if not (output / MANIFEST_NAME).is_file():
            self._run(f"the build of shards ({what})", words)

    def _write_start(self) -> None:
        if (self.layout.start / "config.json").is_file():
            return
        from pretraining.adaptation.start_model import Extension, write_start  # late: it imports torch

        self.children.go_on()
        print("— the model to start from", flush=True)
        extension = None
        if self.options.new_pieces:
            made_of = {word["id"]: word["pieces"] for word in read_pieces(self.layout.pieces)["words"]}
            extension = Extension(self.layout.pieces, made_of)
        write_start(self.source, self.layout.start, self.options.seed, extension)

    def _measure(self, texts: Sequence[str], when: str) -> None:
        for text in texts:
            if not self.layout.figures(text, when).is_file():
                self._run(f"the evaluation ({text}, {when})", self.preparation.evaluation_command(text, when))

    def _train(self) -> int:
        """Trains to the end; returns the number of steps."""
        words, steps = self.preparation.training_command()
        assert steps is not None  # the shards are there
        if not self._is_trained():
            self._run("the training", words)
            if not self._is_trained():  # launchers lose exit codes
                raise RetryablePretrainingError(f"the training was {STOPPED}")
        return steps

    def _is_trained(self) -> bool:
        from pretraining.run.state_file import read_state  # late: it imports torch

        is_finished = read_state(self.options.output).get("status") == "finished"
        return is_finished and (self.layout.export / "config.json").is_file()

    def _conclude(self, result: dict[str, Any]) -> None:
        """Writes the card anew with the figures, and last `adaptation.json`."""
        if self.options.new_pieces:
            pieces, tokenizer = read_pieces(self.layout.pieces), Tokenizer.load(self.layout.start)
            shards = ShardSet.open(self.layout.shards)
            after = pieces_per_word(shards, "heldout", self.options.sequence_length, tokenizer)
            per_word = {"before": pieces["pieces_per_word"], "after": after}
            result["new_pieces"] = {"pieces_per_word": per_word, "words": pieces["words"]}
        self._write_card(result)
        write_text(self.layout.result, json.dumps(result, indent=1, ensure_ascii=False) + "\n")

    def _write_card(self, result: Mapping[str, Any]) -> None:
        from pretraining.model.config import BertConfig
        from pretraining.run.saved.model_card import describe_export  # late, as above
        from pretraining.run.state_file import read_state

        export, run = self.layout.export, self.options.output
        sections = (("Before and after the adaptation", as_markdown(result)),)
        step = int(read_state(run)["step"])
        describe_export(export, run, BertConfig.load(export), step, before=export, sections=sections)

    def _run(self, name: str, words: Sequence[str]) -> None:
        print(f"— {name}\n  $ {shlex.join(words)}", flush=True)
        self.children.run(name, words)
