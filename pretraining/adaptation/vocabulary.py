"""A vocabulary with more pieces: `[unused…]` ones are renamed first, which leaves the model as large as it was."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers

from preprocessing.atomic_file import write_text
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.new_pieces import choose, count_cut_words, pieces_per_word
from pretraining.errors import PretrainingError

_NEW_PIECES = "new-pieces.json"

_UNUSED = re.compile(r"\[unused\d+\]")


def with_words(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[Tokenizer, list[int]]:
    """A tokenizer that knows `words` as one piece each, and their ids.

    They take the ids of `[unused…]` pieces, ascending, and then those behind the last. All other ids stay.
    """
    settings = json.loads(tokenizer.backend.to_str())
    vocabulary: dict[str, int] = settings["model"]["vocab"]
    if known := [word for word in words if word in vocabulary]:
        raise PretrainingError(f"the vocabulary has a piece {known[0]!r} already")
    unused = sorted((index, token) for token, index in vocabulary.items() if _UNUSED.fullmatch(token))
    taken = {token for _, token in unused[: len(words)]}
    settings["added_tokens"] = [added for added in settings["added_tokens"] if added["content"] not in taken]
    free = [index for index, _ in unused] + list(
        range(tokenizer.vocabulary_size, tokenizer.vocabulary_size + len(words))
    )
    ids = free[: len(words)]
    settings["model"]["vocab"] = {
        **{token: index for token, index in vocabulary.items() if token not in taken},
        **dict(zip(words, ids, strict=True)),
    }
    backend = tokenizers.Tokenizer.from_str(json.dumps(settings))
    backend.encode_special_tokens = True  # a setting that is not written down; `Tokenizer.load` makes it as well
    return Tokenizer(backend), ids


def write_pieces(folder: Path, shards: ShardSet, length: int, tokenizer: Tokenizer, most: int, positions: int) -> None:
    """Writes a vocabulary with at most `most` new pieces, chosen in the training examples of `shards`, and last what
    they are; nothing where that is there.

    `positions`: tokens of the longest sequence that the model takes.
    """
    if (folder / _NEW_PIECES).is_file():
        return
    chosen = choose(count_cut_words(shards, "train", length, tokenizer), tokenizer, most)
    if not chosen:
        raise PretrainingError(
            "--new-pieces: the vocabulary cuts no word of the text that comes often enough; leave the option out"
        )
    extended, ids = with_words(tokenizer, [piece.word for piece in chosen])
    extended.save(folder, positions)
    words = [
        {"word": piece.word, "id": index, "pieces": list(piece.pieces), "count": piece.count, "saved": piece.saved}
        for piece, index in zip(chosen, ids, strict=True)
    ]
    content = {"words": words, "pieces_per_word": pieces_per_word(shards, "heldout", length, tokenizer)}
    write_text(folder / _NEW_PIECES, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_pieces(folder: Path) -> dict[str, Any]:
    """What `write_pieces` wrote: `words`, and `pieces_per_word` on held-out text in the old vocabulary."""
    try:
        return dict(json.loads((folder / _NEW_PIECES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PretrainingError(f"{folder / _NEW_PIECES} is damaged; choose another --output") from error
