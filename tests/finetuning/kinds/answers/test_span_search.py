"""The search for the best spans, against trying all of them."""

import numpy as np
import pytest

from finetuning.kinds.answers.span_search import span_answers
from finetuning.kinds.encoding.windows import encode_windows
from finetuning.kinds.loading import load_task
from finetuning.kinds.rows import SpanRow
from preprocessing.tokens.tokenizer import Tokenizer


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["squad1", "squad2"])
def test_answers_equal_an_exhaustive_search(seed: int, name: str, tokenizer: Tokenizer) -> None:
    task = load_task(name).model_copy(
        update={"max_query_length": 6, "document_stride": 4, "max_answer_length": 3, "n_best": 500}
    )
    context = "the cat sat on the mat near the red house he ran"
    rows = [SpanRow(str(n), "", "who ran", context, (("the cat", 0),)) for n in range(3)]
    split = encode_windows(task, rows, tokenizer, 14)
    assert split.context is not None
    logits = np.random.default_rng(seed).normal(size=(len(split.input_ids_t), 2)).astype(np.float32)
    results = span_answers(task, rows, split, logits)
    for number, answer in enumerate(results):
        best: tuple[float, str] = (-np.inf, "")
        null = np.inf
        for sequence in np.flatnonzero(split.row_i == number):
            low, high = split.offsets_s[sequence], split.offsets_s[sequence + 1]
            null = min(null, float(logits[low, 0] + logits[low, 1]))
            inside = range(low + split.context.first_s[sequence], high - 1)
            for start in inside:
                for end in inside:
                    if 0 <= end - start < 3 and split.context.is_best_t[start]:
                        value = float(logits[start, 0] + logits[end, 1])
                        text = context[split.context.chars_t2[start, 0] : split.context.chars_t2[end, 1]]
                        best = max(best, (value, text))
        assert answer.best_span == best[1]
        assert answer.null_odds == pytest.approx(null - best[0], abs=1e-5)
        expected = "" if name == "squad2" and null > best[0] else best[1]
        assert answer.text == expected
        assert sum(share for _, share in answer.n_best) == pytest.approx(1.0, abs=1e-4)
        assert ("" in dict(answer.n_best)) == (name == "squad2")
