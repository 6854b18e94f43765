"""One rank of `test_lamb_layout_zero.py`: trains a small BERT under DeepSpeed and, beside it, with unsharded LAMB.

Arguments: scenarios as STAGE-PRECISION-PLACE, for example 2-bf16-resident or 3-fp32-offload. For each, rank 0 prints
one JSON object: the largest relative difference of the trust ratios, the largest difference of the weights, and how
many ratios were compared.
"""

import copy
import json
import sys
from dataclasses import replace
from typing import Any

import deepspeed
import torch
import torch.distributed as dist
from torch import Tensor

# Without this, DeepSpeed compiles a communication kernel for a minute.
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False

from pretraining.model.bert import BertForPreTraining  # noqa: E402
from pretraining.model.config import BertConfig  # noqa: E402
from pretraining.model.packing import PackedBatch  # noqa: E402
from pretraining.optimization.lamb import Lamb  # noqa: E402
from pretraining.optimization.lamb_layout import attach_lamb  # noqa: E402
from pretraining.optimization.optimizers import build_optimizer  # noqa: E402
from pretraining.optimization.options import OptimizerConfig  # noqa: E402

STEPS = 3
# Odd sizes, so that parameters do not divide by the number of ranks.
CONFIG = BertConfig(
    vocab_size=101,
    hidden_size=33,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=65,
    max_position_embeddings=20,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)


def batch_of(rank: int, step: int) -> PackedBatch:
    generator = torch.Generator().manual_seed(100 * step + rank)
    sequences = [torch.randint(0, 101, (length,), generator=generator).tolist() for length in (20, 7, 13)]
    batch = PackedBatch.from_sequences(sequences, [10, 3, 6], is_random_next=[0, 1, 0])
    return replace(
        batch, masked_indices_m=torch.arange(0, 40, 5), masked_labels_m=torch.randint(0, 101, (8,), generator=generator)
    )


def loss_of(sums: Any) -> Tensor:
    return sums.loss(8, 3)


def named_ratios(lamb: Lamb, groups: dict[Tensor, list[Any]], names: dict[Any, str]) -> dict[str, float]:
    """Parameter name and number of the stacked matrix → ratio."""
    ratios: dict[str, float] = {}
    for held, parameters in groups.items():
        if held in lamb.trust_ratios:
            keys = [f"{names[p]}/{block}" for p in parameters for block in range(getattr(p, "stacked", 1))]
            ratios.update(zip(keys, lamb.trust_ratios[held].tolist(), strict=True))
    return ratios


def held_by(inner: Any, lamb: Lamb) -> dict[Tensor, list[Any]]:
    """The tensors that LAMB steps → the parameters that they hold parts of."""
    if hasattr(inner, "single_partition_of_fp32_groups"):
        return dict(zip(inner.single_partition_of_fp32_groups, inner.bit16_groups, strict=True))
    if hasattr(inner, "fp32_partitioned_groups_flat"):
        return dict(zip(inner.fp32_partitioned_groups_flat, inner.fp16_groups, strict=True))
    return {parameter: [parameter] for group in lamb.param_groups for parameter in group["params"]}


def compare(stage: int, precision: str, offload: bool) -> dict[str, float]:
    """Trains both for a few steps; the same result on every rank but for rounding."""
    rank = dist.get_rank()
    torch.manual_seed(7)
    model = BertForPreTraining(CONFIG)
    reference = copy.deepcopy(model)
    for twin, parameter in zip(reference.parameters(), model.parameters(), strict=True):
        twin.__dict__.update(parameter.__dict__)  # a deep copy of a parameter drops its attributes
    settings = OptimizerConfig(name="lamb", learning_rate=0.01, weight_decay=0.1)
    unsharded = build_optimizer(reference, settings)
    names = {parameter: name for name, parameter in model.named_parameters()}
    zero: dict[str, Any] = {"stage": stage, "stage3_param_persistence_threshold": 0, "sub_group_size": 9000}
    if offload:
        zero["offload_optimizer"] = {"device": "cpu"}
    configuration = {
        "train_micro_batch_size_per_gpu": 1,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "gradient_clipping": 0.0,  # DeepSpeed clips at 1 unless told otherwise
        "torch_autocast": {"enabled": precision == "bf16", "dtype": "bfloat16", "lower_precision_safe_modules": []},
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=build_optimizer(model, settings), config=configuration)
    attach_lamb(engine)
    lamb = getattr(engine.optimizer, "optimizer", engine.optimizer)
    groups = held_by(engine.optimizer, lamb)
    ratio_difference = weight_difference = 0.0
    compared = 0
    for step in range(STEPS):
        batch = batch_of(rank, step)
        engine.backward(loss_of(engine(batch)))
        engine.step()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = loss_of(reference(batch))
        loss.backward()
        for parameter in reference.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()
        unsharded.step()
        unsharded.zero_grad()
        ours = named_ratios(lamb, groups, names)
        twins = {parameter: [parameter] for parameter in reference.parameters()}
        theirs = named_ratios(unsharded, twins, {p: name for name, p in reference.named_parameters()})
        if ours.keys() != theirs.keys():
            raise SystemExit(f"ratios of other parameters: {sorted(ours.keys() ^ theirs.keys())}")
        compared += len(ours)
        ratio_difference = max(ratio_difference, *(abs(ours[key] / theirs[key] - 1) for key in ours))
    for (_, parameter), twin in zip(model.named_parameters(), reference.parameters(), strict=True):
        with deepspeed.zero.GatheredParameters([parameter], enabled=stage == 3):
            weight_difference = max(weight_difference, (parameter.data - twin.data).abs().max().item())
    engine.destroy()
    return {"ratio": ratio_difference, "weight": weight_difference, "compared": compared}


def main(scenarios: list[str]) -> None:
    torch.set_num_threads(1)
    deepspeed.init_distributed("gloo", verbose=False)
    results = {}
    for scenario in scenarios:
        stage, precision, place = scenario.split("-")
        results[scenario] = compare(int(stage), precision, place == "offload")
    if dist.get_rank() == 0:
        print("RESULT " + json.dumps(results), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1:])
