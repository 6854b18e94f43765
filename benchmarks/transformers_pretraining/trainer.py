"""The peer in the `Trainer` of transformers, with what costs time and serves nobody here switched off."""

import importlib.util
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from benchmarks.transformers_pretraining.journal import Journal
from benchmarks.transformers_pretraining.records import Collator, Records, WholeBatches
from benchmarks.transformers_pretraining.settings import Settings


def train(
    settings: Settings,
    model: Any,
    optimizer: torch.optim.Optimizer,
    records: Records,
    sampler: WholeBatches,
    collator: Collator,
    journal: Journal,
    scratch: str,
) -> None:
    """Trains until the journal says that the budget is used up; `scratch` is a folder that the `Trainer` may use."""
    if importlib.util.find_spec("deepspeed") is not None:
        import deepspeed  # noqa: F401  # accelerate imports it in the middle of training, and it would be timed
    trainer = PeerTrainer(
        model,
        arguments_of(settings, scratch),
        train_dataset=records,
        data_collator=collator,
        # At the rate of the optimiser, which is 1, the schedule gives the rate itself.
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, journal.rate)),
    )
    trainer.sampler, trainer.journal = sampler, journal
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Budget(journal))
    with journal.running():
        trainer.train()


def arguments_of(settings: Settings, scratch: str) -> TrainingArguments:
    """What the `Trainer` is told. The order of examples is the sampler's, see `records.WholeBatches`."""
    training = settings.recipe.training
    return TrainingArguments(
        output_dir=scratch,
        max_steps=training.steps,
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=settings.micro_batches,
        max_grad_norm=training.clip_norm,
        bf16=training.precision == "bf16",
        seed=training.seed,
        use_cpu=True,
        dataloader_drop_last=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        logging_strategy="no",
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


class PeerTrainer(Trainer):
    """A `Trainer` that takes its order from `sampler` and tells `journal` what it did."""

    sampler: WholeBatches
    journal: Journal

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # It takes the model's **kwargs for a promise to divide the loss by the labels of the whole batch. The model
        # divides by those of its micro-batch, and gradients of several would be added up instead of averaged.
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: Any = None) -> WholeBatches:
        return self.sampler

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        part: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self.journal.saw(inputs, float(part))
        return part


class _Budget(TrainerCallback):
    """Ends the training when the budget is used up."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rate = 0.0

    def on_optimizer_step(self, args: Any, state: Any, control: Any, *, optimizer: Any = None, **_: Any) -> None:
        self._rate = optimizer.param_groups[0]["lr"]  # the next step's is set before `on_step_end`

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._journal.after_step(self._rate)
        if self._journal.is_over:
            control.should_training_stop = True
