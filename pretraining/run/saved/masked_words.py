"""What a pretrained model puts where a text has [MASK]: the pipeline "fill-mask" of Hugging Face, on our own model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import tokenizers
import torch
from torch import Tensor

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import import_masked_lm
from pretraining.model.packing import PackedBatch
from pretraining.run.initial_weights import export_folder
from pretraining.run.saved.checkpoint_model import checkpoint_model
from pretraining.run.saved.saved_run import read_run

MASK = "[MASK]"


@dataclass(frozen=True)
class MaskedText:
    """A text as the model reads it."""

    text: str
    ids: list[int]
    """With [CLS] and [SEP]."""
    unknown: tuple[str, ...]
    """Words of the text that the vocabulary has not, and that are read as [UNK]."""


@dataclass(frozen=True)
class Filling:
    """One piece for one [MASK], by the names of Hugging Face's pipeline."""

    score: float
    """Its probability."""
    token: int
    token_str: str
    sequence: str
    """The text with the piece in it, as the tokenizer writes it: of one [MASK] without special tokens, as the pipeline
    has it; of several the others stay."""


class MaskFiller:
    """A model and its tokenizer, on a device."""

    def __init__(self, model: BertForPreTraining, tokenizer: Tokenizer, device: torch.device) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.device = device
        # Elsewhere a text that spells [MASK] is text, by a setting that a copy does not take over; here, as to the
        # pipeline, all special tokens are themselves.
        self.backend = tokenizers.Tokenizer.from_str(tokenizer.backend.to_str())
        self.backend.add_special_tokens(list(SPECIAL_TOKENS))

    @classmethod
    def load(cls, folder: Path, device: torch.device, step: int | None = None, tokenizer: Path | None = None) -> Self:
        """The model of a Hugging Face folder with a masked-token head, or of a run: its export, or a checkpoint.

        Args:
            folder: that folder, or the run's.
            device: where the model runs.
            step: the run's checkpoint of this step; None: its export, or the newest checkpoint where it has none.
            tokenizer: folder of the tokenizer; None: the model's, or that of the run's shards.

        Raises:
            PretrainingError: no such model, or it has no head for masked tokens, or no tokenizer fits it.
        """
        exported = export_folder(folder)
        try:
            if step is None and (exported / "config.json").is_file():
                model, default = import_masked_lm(exported), exported
            elif (folder / "recipe.json").is_file():
                run = read_run(folder, step)
                model = checkpoint_model(run)
                default = tokenizer or Path(ShardSet.open(run.recipe.data.shards[0]).tokenizer_path)
            elif step is not None:
                raise PretrainingError(f"--step {step}: {folder} is no folder of a run; leave it out")
            else:
                raise PretrainingError(
                    f"{folder} is neither a model (it has no config.json) nor a run (it has no recipe.json); give the "
                    "folder of one"
                )
            loaded = Tokenizer.load(tokenizer or default)
        except PreprocessingError as error:
            raise PretrainingError(str(error)) from error
        if loaded.vocabulary_size > model.config.vocab_size:
            raise PretrainingError(
                f"{tokenizer or default}: the tokenizer has {loaded.vocabulary_size} pieces, the model "
                f"{model.config.vocab_size}; give the tokenizer that the model was trained with"
            )
        return cls(model, loaded, device)

    def read(self, text: str, place: str) -> MaskedText:
        """A text as ids. PretrainingError, naming `place`, where it has no [MASK] or is too long for the model."""
        encoding = self.backend.encode(text, add_special_tokens=False)
        ids = [self.tokenizer.cls_id, *encoding.ids, self.tokenizer.sep_id]
        if self.tokenizer.mask_id not in encoding.ids:
            raise PretrainingError(f"{place} has no {MASK}: write it, in these letters, where a word is to be guessed")
        positions = self.model.config.max_position_embeddings
        if len(ids) > positions:
            raise PretrainingError(
                f"{place} has {len(ids)} tokens with [CLS] and [SEP], the model {positions} positions; shorten it"
            )
        words = (
            text[first:last]
            for index, (first, last) in zip(encoding.ids, encoding.offsets, strict=True)
            if index == self.tokenizer.unk_id and text[first:last] != "[UNK]"
        )
        return MaskedText(text, ids, tuple(words))

    @torch.no_grad()
    def fill(self, texts: Sequence[MaskedText], top: int) -> list[list[list[Filling]]]:
        """For each text and each [MASK] of it the `top` most probable pieces, best first.

        Each mask is filled for itself, while the others are there: what fits two of them alone need not fit together.
        """
        batch = PackedBatch.from_sequences([text.ids for text in texts]).to(self.device)
        places_m = (batch.input_ids_t == self.tokenizer.mask_id).nonzero().squeeze(1)
        *_, hidden_th = self.model.bert.hidden_states(batch)
        scores_mv: Tensor = self.model.mlm_head.scores(hidden_th.index_select(0, places_m)).float()
        best = scores_mv.softmax(-1).topk(min(top, scores_mv.shape[1]))
        rows = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [
            [self._fillings(text, place, *next(rows)) for place, index in enumerate(text.ids) if self._is_mask(index)]
            for text in texts
        ]

    def _is_mask(self, index: int) -> bool:
        return index == self.tokenizer.mask_id

    def _fillings(self, text: MaskedText, place: int, scores: list[float], tokens: list[int]) -> list[Filling]:
        is_alone = text.ids.count(self.tokenizer.mask_id) == 1
        return [
            Filling(
                score,
                token,
                self.tokenizer.decode([token]),
                self.backend.decode(
                    [*text.ids[1:place], token, *text.ids[place + 1 : -1]], skip_special_tokens=is_alone
                ),
            )
            for score, token in zip(scores, tokens, strict=True)
        ]
