"""WordPiece: one vocabulary, one reference (`tokenizers`), one fast path with the same output (`nanotoken`)."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import nanotoken
import numpy as np
import numpy.typing as npt
import tokenizers
from nanotoken.nanotoken_rs import WordPieceTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from preprocessing.atomic_file import replacing, write_text
from preprocessing.errors import PreprocessingError
from preprocessing.storage import Location, location

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# The default of 2^20 words would let a worker's memory grow by some 150 MB over a large corpus.
CACHED_WORDS = 1 << 17
# One text in this many is also encoded by the reference, so that a difference on some platform cannot go unnoticed.
CHECKED_SHARE = 1000


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A BERT tokenizer. Text that spells a special token (`[MASK]`) is tokenised as ordinary text."""

    backend: tokenizers.Tokenizer
    """The reference: `backend.encode(text, add_special_tokens=False).ids` equals what `encode` gives."""

    @classmethod
    def load(cls, path: str | Location, lowercase: bool | None = None) -> "Tokenizer":
        """Reads `vocab.txt`, `tokenizer.json`, or a folder that holds either (tokenizer.json first).

        `lowercase` applies to a bare vocab.txt; by default a vocabulary without capital letters is taken as
        uncased. Raises PreprocessingError when the file is missing, no WordPiece, or lacks a special token.
        """
        path = location(path)
        if path.is_dir():
            candidates = [path / name for name in ("tokenizer.json", "vocab.txt") if (path / name).is_file()]
            if not candidates:
                raise PreprocessingError(f"{path} holds neither tokenizer.json nor vocab.txt; give one of them.")
            path = candidates[0]
        if not path.is_file():
            raise PreprocessingError(f"The vocabulary {path} does not exist; give a vocab.txt or a tokenizer.json.")
        backend = _from_json(path) if path.suffix == ".json" else _from_vocabulary(path, lowercase)
        missing = [token for token in SPECIAL_TOKENS if backend.token_to_id(token) is None]
        if missing:
            raise PreprocessingError(f"The vocabulary {path} lacks {', '.join(missing)}; add it to the file.")
        # Padding and truncation belong to whoever makes batches; a raw text must never be cut here.
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True
        return cls(backend)

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokens)

    @property
    def pad_id(self) -> int:
        return self._id("[PAD]")

    @property
    def unk_id(self) -> int:
        return self._id("[UNK]")

    @property
    def cls_id(self) -> int:
        return self._id("[CLS]")

    @property
    def sep_id(self) -> int:
        return self._id("[SEP]")

    @property
    def mask_id(self) -> int:
        return self._id("[MASK]")

    @property
    def lowercase(self) -> bool:
        return bool(self._normalizer.get("lowercase"))

    def normalised(self, text: str) -> str:
        """The text as the vocabulary sees it: in lower case and without accents, where it is uncased."""
        normaliser = self.backend.normalizer
        return str(normaliser.normalize_str(text)).strip() if normaliser else text

    @property
    def id_dtype(self) -> type[np.unsignedinteger[Any]]:
        """uint16, or uint32 where the vocabulary has more than 65,536 entries."""
        return np.uint16 if self.vocabulary_size <= 1 << 16 else np.uint32

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hexadecimal) of everything that decides which ids a text gets."""
        settings = json.loads(self.backend.to_str())
        parts = {name: settings[name] for name in ("model", "normalizer", "pre_tokenizer")}
        parts["added_tokens"] = sorted((token["id"], token["content"]) for token in settings["added_tokens"])
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def tokens(self) -> list[str]:
        """Token by id; an id that the vocabulary skips gives an empty string."""
        vocabulary = self.backend.get_vocab()
        tokens = [""] * (max(vocabulary.values()) + 1)
        for token, index in vocabulary.items():
            tokens[index] = token
        return tokens

    @cached_property
    def is_continuation(self) -> npt.NDArray[np.bool_]:
        """bool, by id: the piece continues a word ("##ing")."""
        return np.array([token.startswith("##") and len(token) > 2 for token in self.tokens])

    @cached_property
    def ordinary_ids(self) -> npt.NDArray[np.int64]:
        """int64, ascending: ids of real pieces, neither special nor `[unused…]`: what a random replacement may be."""
        return np.array(
            [
                index
                for index, token in enumerate(self.tokens)
                if token and token not in SPECIAL_TOKENS and not (token.startswith("[unused") and token.endswith("]"))
            ]
        )

    def encode(self, texts: list[str]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Ids without special tokens, flat, and the offsets of the texts in them (int64, len(texts) + 1).

        A deterministic sample of the texts is compared with the reference; PreprocessingError on a difference.
        """
        if self._fast is None:
            encoded = [encoding.ids for encoding in self.backend.encode_batch_fast(texts, add_special_tokens=False)]
            offsets = np.zeros(len(texts) + 1, np.int64)
            np.cumsum([len(ids) for ids in encoded], out=offsets[1:])
            flat = [index for ids in encoded for index in ids]
            return np.array(flat, self.id_dtype), offsets
        ids, offsets = self._fast.encode_batch(texts, add_special_tokens=False, parallel=False)
        for text_index in range(CHECKED_SHARE - 1, len(texts), CHECKED_SHARE):
            expected = self.backend.encode(texts[text_index], add_special_tokens=False).ids
            if ids[offsets[text_index] : offsets[text_index + 1]].tolist() != expected:
                raise PreprocessingError(
                    f"nanotoken and tokenizers differ on {texts[text_index][:80]!r}; uninstall the one or the other "
                    "version, and please report the text."
                )
        return ids.astype(self.id_dtype), offsets

    def decode(self, ids: npt.NDArray[Any] | list[int]) -> str:
        """Readable text, special tokens included."""
        return str(self.backend.decode([int(index) for index in ids], skip_special_tokens=False))

    def save(self, folder: str | Location, maximum_length: int = 512) -> None:
        """Writes vocab.txt, tokenizer.json and tokenizer_config.json, as `transformers.AutoTokenizer` loads them.

        `maximum_length`: tokens of the longest sequence that the model takes; `transformers` cuts at it when asked to.
        """
        folder = location(folder)
        settings = self._normalizer
        configuration = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self.lowercase,
            "strip_accents": settings.get("strip_accents"),
            "tokenize_chinese_chars": settings.get("handle_chinese_chars", True),
            "model_max_length": maximum_length,
            **{f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS},
        }
        with replacing(folder / "vocab.txt") as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{token}\n" for token in self.tokens)
        with replacing(folder / "tokenizer.json") as temporary:
            temporary.write_text(self.backend.to_str(pretty=True), encoding="utf-8")
        write_text(folder / "tokenizer_config.json", json.dumps(configuration, indent=1) + "\n")

    @cached_property
    def _fast(self) -> WordPieceTokenizer | None:
        settings = json.loads(self.backend.to_str())
        settings["added_tokens"] = []
        settings["post_processor"] = None
        nanotoken.set_cache_entries(CACHED_WORDS)
        try:
            return WordPieceTokenizer.from_json(json.dumps(settings))
        except nanotoken.UnsupportedTokenizerError:
            return None

    @property
    def _normalizer(self) -> dict[str, Any]:
        return json.loads(self.backend.to_str())["normalizer"] or {}

    def _id(self, token: str) -> int:
        index = self.backend.token_to_id(token)
        assert index is not None  # checked by load
        return int(index)


def build(
    vocabulary: dict[str, int], *, lowercase: bool, chinese: bool = True, accents: bool | None = None
) -> Tokenizer:
    """A tokenizer from token → id. `accents`: keep them (default: only where case is kept too, as BERT does)."""
    strip_accents = None if accents is None else not accents
    backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
    backend.normalizer = normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=chinese
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    if "[SEP]" in vocabulary and "[CLS]" in vocabulary:
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
        )
    backend.add_special_tokens([token for token in SPECIAL_TOKENS if token in vocabulary])
    backend.encode_special_tokens = True
    return Tokenizer(backend)


def _from_vocabulary(path: Location, lowercase: bool | None) -> tokenizers.Tokenizer:
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise PreprocessingError(f"The vocabulary {path} is not UTF-8 (byte {error.start}); convert it.") from error
    vocabulary: dict[str, int] = {}
    for number, line in enumerate(lines):
        token = line.rstrip("\r")
        if token in vocabulary:
            raise PreprocessingError(
                f"The vocabulary {path} has {token!r} in line {vocabulary[token] + 1} and again in line {number + 1}; "
                "remove one."
            )
        vocabulary[token] = number
    settings: dict[str, Any] = {}
    beside = path.with_name("tokenizer_config.json")
    if beside.is_file():
        settings = json.loads(beside.read_text(encoding="utf-8"))
    if lowercase is None:
        lowercase = settings.get("do_lower_case")
    if lowercase is None:
        lowercase = not any(token.isascii() and token.isalpha() and token != token.lower() for token in vocabulary)
    strip = settings.get("strip_accents")
    chinese = settings.get("tokenize_chinese_chars", True)
    return build(vocabulary, lowercase=lowercase, chinese=chinese, accents=None if strip is None else not strip).backend


def _from_json(path: Location) -> tokenizers.Tokenizer:
    try:
        backend = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises a bare Exception for every fault of the file
        raise PreprocessingError(f"{path} is not a tokenizer.json ({error}); give another file.") from error
    if not isinstance(backend.model, models.WordPiece):
        raise PreprocessingError(
            f"{path} holds a {type(backend.model).__name__} model, BERT needs WordPiece; give another tokenizer."
        )
    return backend
