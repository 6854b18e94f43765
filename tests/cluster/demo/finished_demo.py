"""A folder as the demo's stages leave it, made up."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.pretraining.made_up_metrics import evaluation, write_metrics

DATA = {
    "documents": {"in": 9, "out": 7, "heldout": 1, "dropped": {"redirect": 2}},
    "sources": {"books": {"documents": 7, "sentences": 70, "tokens": 900, "unknown_share": 0.001}},
}


def finish_demo(folder: Path, write_result: Callable[..., Path], text: str = "word") -> None:
    """What the report reads; `text` stands in a sentence with a gap, and as an answer to it."""
    (folder / "shards").mkdir(parents=True)
    (folder / "shards" / "report.json").write_text(json.dumps(DATA))
    for phase in ("phase1", "phase2"):
        write_metrics(folder / phase, 300, text)
    for length in (128, 512):
        (folder / f"evaluation-{length}.json").write_text(json.dumps({"all": evaluation(600, "all")}))
    for seed in (1, 2, 3):
        for model, score in (("models/a", 0.7), ("random:config.json", 0.5)):
            run = folder / "finetuning" / f"{model.split(':')[0].replace('/', '-')}-{seed}"
            write_result(run, task="continues", score=score + seed / 100, seed=seed, spec={"model": model})
        bag = {"task": "continues", "score": 0.6 + seed / 100, "seed": seed, "spec": {"model": "bag of words"}}
        write_result(folder / "bag_of_words" / f"seed-{seed}", **bag)
    answers = [{"word": f"word{number}", "probability": 0.4 / number} for number in range(5, 0, -1)]
    gaps = [
        {"sentence": "Paris is the [MASK] of France.", "answers": answers, "before": answers[:2]},
        {"sentence": f"{text} is [MASK].", "answers": [{"word": text, "probability": 1.0}]},
    ]
    (folder / "fill_mask.json").write_text(json.dumps(gaps))
