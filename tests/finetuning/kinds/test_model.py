"""Heads and losses equal those of `transformers` on the same weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from finetuning.kinds.batches import collate
from finetuning.kinds.loading import kind_of, load_task, read_split
from finetuning.kinds.model import TaskModel
from finetuning.kinds.scoring import labels_of
from finetuning.kinds.span import segment_logsumexp
from finetuning.run.checkpoint import FineTuned, load_fine_tuned, save_fine_tuned
from finetuning.run.specification import RunSpec
from finetuning.run.start import load_start, set_dropout

TASKS = ["cola", "rte", "mnli", "stsb", "swag", "conll2003", "squad2"]


@pytest.mark.parametrize("name", TASKS)
def test_loss_and_gradients_equal_transformers(
    name: str, tmp_path: Path, model_folder: Path, benchmark_data: Path
) -> None:
    import transformers

    task = load_task(name)
    rows = read_split(task, "train", benchmark_data)
    assert rows is not None
    labels, _ = labels_of(task, {"train": rows, **dict.fromkeys(task.dev, rows)})
    start = load_start(RunSpec(task=name, model=str(model_folder), output=tmp_path), task)
    model = TaskModel(start.encoder, kind_of(task), len(labels))
    save_fine_tuned(tmp_path / "model", FineTuned(model, start.tokenizer, task, labels, 96))
    set_dropout(model, 0.0)
    split = kind_of(task).encode(task, rows.rows, start.tokenizer, labels, 96)
    items = np.arange(split.items)
    batch = collate(split, items)
    loss = kind_of(task).loss_sum(model(batch), batch) / kind_of(task).label_count(split, items)
    loss.backward()

    theirs = getattr(transformers, kind_of(task).architecture).from_pretrained(
        tmp_path / "model", attn_implementation="eager", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    inputs = padded(batch.packed.input_ids_t, batch.packed.segment_ids_t, batch.packed.cu_seqlens)
    if task.kind == "span":
        targets = {"start_positions": batch.labels[:, 0], "end_positions": batch.labels[:, 1]}
    elif task.kind == "token":
        marked = torch.full_like(batch.packed.input_ids_t, -100)
        assert batch.word_indices_w is not None
        marked[batch.word_indices_w] = batch.labels
        targets = {"labels": padded(marked, marked, batch.packed.cu_seqlens, fill=-100)["input_ids"]}
    else:
        targets = {"labels": batch.labels}
    if task.kind == "choice":
        inputs = {key: value.view(split.items, 4, -1) for key, value in inputs.items()}
    if task.kind == "span":
        # Its softmax runs over padding too; one sequence at a time has none.
        lengths = batch.packed.cu_seqlens.diff().tolist()
        losses = [
            theirs.train()(
                **{key: value[row : row + 1, :length] for key, value in inputs.items()},
                **{key: value[row : row + 1] for key, value in targets.items()},
            ).loss
            for row, length in enumerate(lengths)
        ]
        reference = torch.stack(losses).mean()
    else:
        reference = theirs.train()(**inputs, **targets).loss
    reference.backward()
    assert loss.item() == pytest.approx(reference.item(), abs=2e-5)
    head = getattr(theirs, kind_of(task).head)
    torch.testing.assert_close(model.head.weight.grad, head.weight.grad, atol=2e-5, rtol=1e-3)
    query = theirs.bert.encoder.layer[0].attention.self.query.weight.grad
    ours = model.encoder.layers[0].attention.qkv.weight.grad
    torch.testing.assert_close(ours[: len(query)], query, atol=2e-5, rtol=1e-3)  # type: ignore[index]


def padded(ids_t: Tensor, segments_t: Tensor, cu_seqlens: Tensor, fill: int = 0) -> dict[str, Tensor]:
    lengths = cu_seqlens.diff().tolist()
    shape = (len(lengths), max(lengths))
    ids, segments, mask = torch.full(shape, fill), torch.zeros(shape).long(), torch.zeros(shape).long()
    for row, (low, length) in enumerate(zip(cu_seqlens.tolist(), lengths, strict=False)):
        ids[row, :length] = ids_t[low : low + length]
        segments[row, :length] = segments_t[low : low + length]
        mask[row, :length] = 1
    return {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask}


@pytest.mark.parametrize("name", TASKS)
def test_a_saved_model_answers_as_before(name: str, tmp_path: Path, model_folder: Path, benchmark_data: Path) -> None:
    task = load_task(name)
    rows = read_split(task, "train", benchmark_data)
    assert rows is not None
    labels, _ = labels_of(task, {"train": rows, **dict.fromkeys(task.dev, rows)})
    start = load_start(RunSpec(task=name, model=str(model_folder), output=tmp_path), task)
    model = TaskModel(start.encoder, kind_of(task), len(labels)).eval()
    save_fine_tuned(tmp_path / "model", FineTuned(model, start.tokenizer, task, labels, 96))
    loaded = load_fine_tuned(tmp_path)
    assert (loaded.labels, loaded.sequence_length, loaded.task.name) == (labels, 96, name)
    split = kind_of(task).encode(task, rows.rows, start.tokenizer, labels, 96)
    batch = collate(split, np.arange(split.items))
    with torch.no_grad():
        assert torch.equal(loaded.model(batch), model(batch))


def test_segment_logsumexp_equals_each_segment() -> None:
    logits = torch.randn(11, 2) * 50
    cu_seqlens = torch.tensor([0, 1, 7, 11], dtype=torch.int32)
    expected = torch.stack([logits[a:b].logsumexp(0) for a, b in [(0, 1), (1, 7), (7, 11)]])
    torch.testing.assert_close(segment_logsumexp(logits, cu_seqlens), expected)
