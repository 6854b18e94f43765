"""Documents → pieces of words.

`Tokenizer` (ids: uint16, or uint32 above 65,536 pieces) is used by every stage; `corpus.Corpus` holds a bucket's
documents as flat arrays: tokens [t], sentence offsets [s + 1], document offsets [d + 1]. `vocabulary_training` makes
a tokenizer from word counts; `lost_marks` says what an uncased one takes from a script. Open first: `tokenizer.py`.
"""

__all__ = ["corpus", "lost_marks", "tokenizer", "vocabulary_training", "word_segmentation"]
