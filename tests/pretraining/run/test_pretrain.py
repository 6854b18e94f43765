"""Whole runs on two real ranks: resuming exactly, refusing what does not fit, equality with a plain loop."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.synthetic_shards import write_shards
from pretraining import export, fill_mask, report
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert, import_bert, read_weights
from pretraining.run.checkpoint.reader import CheckpointReader
from pretraining.run.metrics import read_metrics

pytestmark = pytest.mark.slow

RECIPE = """
[model]
size = "tiny"
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 64
max_position_embeddings = 32
[data]
sequence_length = 32
[training]
steps = 6
batch_size = 16
micro_batch_size = 4
precision = "fp32"
[optimizer]
learning_rate = 1e-2
[schedule]
warmup_steps = 2
[evaluation]
examples = 40
[checkpoint]
keep = 3
[output]
log_every = 1
"""
LAYOUTS = [(stage, precision) for precision in ("fp32", "bf16") for stage in (0, 1, 2, 3)]


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory,
    launch: Callable[..., None],
    tiny_config: Callable[[int, float], BertConfig],
) -> tuple[Path, dict[str, Any]]:
    """Does everything below in one start of two ranks; returns the folder and the outcome of every named action."""
    folder = tmp_path_factory.mktemp("runs")
    shards = write_shards(folder / "shards", words=16)
    other = write_shards(folder / "other", words=16, seed=9)
    config = tiny_config(21, 0.0)
    torch.manual_seed(3)
    export_bert(BertForPreTraining(config), folder / "start", shards / "tokenizer")
    (folder / "recipe.toml").write_text(RECIPE)
    plan: dict[str, dict[str, Any]] = {}

    def run(name: str, into: str, **settings: Any) -> None:
        keys = {key.replace("__", "."): value for key, value in settings.items()}
        plan[name] = {"run": {"data.shards": str(shards), "output.folder": str(folder / into), **keys}}

    for stage, precision in LAYOUTS:
        layout = {"deepspeed__zero_optimization__stage": stage, "training__precision": precision}
        quiet = {"output__export": "false"} if precision == "bf16" else {}
        run(f"whole {stage} {precision}", f"whole-{stage}-{precision}", **layout, **quiet)
        run(f"first {stage} {precision}", f"parts-{stage}-{precision}", training__stop_at=3, **layout, **quiet)
        if (stage, precision) == (1, "fp32"):
            run("at its stop", f"parts-{stage}-{precision}", training__stop_at=3, **layout)
        run(f"second {stage} {precision}", f"parts-{stage}-{precision}", **layout, **quiet)
    no_dropout = {"model__hidden_dropout_prob": 0, "model__attention_probs_dropout_prob": 0}
    saving = {"checkpoint__every": 1, "output__export": "false", "evaluation__examples": 0}
    run("to stop", "stopped", training__stop_at=2, **saving)
    run("past its stop", "stopped", training__stop_at=1, **saving)
    run("used folder", "stopped", checkpoint__resume="false", **saving)
    run("other optimizer", "stopped", optimizer__beta2=0.98, **saving)
    fewer = {"training__steps": 1, "schedule__warmup_steps": 0, "checkpoint__allow": "training.steps,schedule"}
    run("fewer steps", "stopped", **fewer, **saving)
    run("to change", "allowed", training__stop_at=2, **saving)
    run(
        "allowed",
        "allowed",
        optimizer__learning_rate=1e-3,
        training__seed=7,
        checkpoint__allow="optimizer.learning_rate,training.seed",
        **saving,
    )
    plan["damage the only one"] = {"truncate": str(folder / "stopped/checkpoints/step2/trainer.json")}
    plan["damage the other"] = {"truncate": str(folder / "stopped/checkpoints/step1/trainer.json")}
    run("nothing whole", "stopped", **saving)
    run("to damage", "damaged", training__stop_at=4, **saving)
    plan["damage"] = {"truncate": str(folder / "damaged/checkpoints/step4/state-00001.safetensors")}
    run("after damage", "damaged", **saving)
    run("other model", "damaged", model__hidden_size=64)
    run("other data", "damaged", data__shards=str(other))
    run("half at stage 1", "stages", training__stop_at=3, **no_dropout)
    run("half at stage 3", "stages", deepspeed__zero_optimization__stage=3, **no_dropout)
    run("without dropout", "no-dropout", **no_dropout)
    run("finished", "whole-1-fp32")
    fixed = {"data__fixed_shapes": "on", "output__export": "false"}
    run("fixed shapes", "fixed", **fixed)
    run("first of fixed shapes", "fixed-parts", training__stop_at=3, **fixed)
    run("second of fixed shapes", "fixed-parts", **fixed)
    run("first without fixed shapes", "then-fixed", training__stop_at=3, output__export="false")
    run("second with fixed shapes", "then-fixed", **fixed)
    run("dynamic", "dynamic", data__masking="dynamic", output__export="false")
    steady = {"schedule__kind": "constant", "schedule__warmup_steps": 0, **no_dropout}
    run("next phase", "phase2", init__from=str(folder / "whole-1-fp32"), training__steps=2, **steady)
    run("one phase", "one-phase", training__steps=4, **steady)
    run("phase one", "phase-one", training__steps=2, **steady)
    run(
        "phase two",
        "phase-two",
        init__from=str(folder / "phase-one"),
        init__moments="true",
        training__steps=2,
        data__seed=5,
        **steady,
    )
    run(
        "two hundred",
        "parity",
        init__from=str(folder / "start"),
        training__steps=200,
        training__clip_norm=0,
        optimizer__learning_rate=3e-3,
        schedule__warmup_steps=0,
        output__export="false",
    )
    (folder / "plan.json").write_text(json.dumps(list(plan.values())))
    launch(2, Path(__file__).with_name("run_ranks.py"), str(folder / "plan.json"), folder=folder)
    outcomes = json.loads((folder / "results.json").read_text())
    return folder, dict(zip(plan, outcomes, strict=True))


def ledger(folder: Path) -> list[str]:
    return [line["ledger"] for line in read_metrics(folder / "metrics.jsonl") if "event" not in line]


def steps_of(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_metrics(folder / "metrics.jsonl") if "event" not in line]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in steps_of(folder)]


def test_what_the_device_decided_is_kept(results: tuple[Path, dict[str, Any]]) -> None:
    """With every start of the run."""
    sentence = "model.compile is off: on the CPU the model has kernels of its own"
    for name, starts in (("whole-0-fp32", [0]), ("parts-0-fp32", [0, 3])):
        run = results[0] / name
        lines = [line for line in read_metrics(run / "metrics.jsonl") if line.get("event") == "remark"]
        assert [(line["step"], line["sentence"]) for line in lines] == [(step, sentence) for step in starts]
        settled = json.loads((run / "recipe.json").read_text())
        assert (settled["model"]["compile"], settled["training"]["precision"]) == ("false", "fp32")


@pytest.mark.parametrize(("stage", "precision"), LAYOUTS)
def test_interrupted_and_resumed_equals_undisturbed(
    results: tuple[Path, dict[str, Any]], stage: int, precision: str
) -> None:
    folder, outcomes = results
    outcome = [outcomes[f"{part} {stage} {precision}"] for part in ("whole", "first", "second")]
    assert outcome == [0, 0, 0]
    whole, parts = folder / f"whole-{stage}-{precision}", folder / f"parts-{stage}-{precision}"
    assert len(losses(whole)) == 6
    assert losses(whole) == losses(parts)
    held_out = [
        [line for line in read_metrics(run / "metrics.jsonl") if line.get("event") == "evaluation"][-1]["loss"]
        for run in (whole, parts)
    ]
    assert held_out[0] == held_out[1]
    left, right = (CheckpointReader(run / "checkpoints" / "step6").weights() for run in (whole, parts))
    for name, weight in left.items():
        assert torch.equal(weight, right[name]), name
    assert ledger(whole) == ledger(parts)


def test_fixed_shapes_change_losses_by_rounding_alone(results: tuple[Path, dict[str, Any]]) -> None:
    """With dropout, whose masks belong to examples; a run may also go on with the other choice."""
    folder, outcomes = results
    assert all(outcomes[name] == 0 for name in outcomes if "fixed shapes" in name)
    plain, fixed = folder / "whole-1-fp32", folder / "fixed"
    assert losses(folder / "fixed-parts") == losses(fixed)
    for run in (fixed, folder / "then-fixed"):
        assert losses(run) == pytest.approx(losses(plain), abs=1e-5)
        assert ledger(run) == ledger(plain)
    shares = {name: [line["filler_share"] for line in steps_of(folder / name)] for name in ("fixed", "whole-1-fp32")}
    assert all(0 < share < 0.3 for share in shares["fixed"])  # sixteen examples of up to 32 tokens
    assert set(shares["whole-1-fp32"]) == {0.0}
    for before, after in zip(steps_of(plain), steps_of(fixed), strict=True):
        for key in ("tokens", "sequences", "padding_avoided_share", "mlm_accuracy", "nsp_accuracy"):
            assert after[key] == pytest.approx(before[key], abs=1e-9), key


def resumes(folder: Path) -> list[int]:
    """The steps at which a start took up what another had left."""
    return [line["step"] for line in read_metrics(folder / "metrics.jsonl") if line.get("event") == "resumed"]


def test_another_stage_goes_on(results: tuple[Path, dict[str, Any]]) -> None:
    folder, outcomes = results
    assert [outcomes[name] for name in ("half at stage 1", "half at stage 3", "without dropout")] == [0, 0, 0]
    assert losses(folder / "stages") == pytest.approx(losses(folder / "no-dropout"), abs=1e-5)
    assert ledger(folder / "stages") == ledger(folder / "no-dropout")
    assert resumes(folder / "no-dropout") == []
    assert resumes(folder / "stages") == [3]


def test_what_is_allowed_by_name_takes_effect_and_is_written_down(results: tuple[Path, dict[str, Any]]) -> None:
    folder, outcomes = results
    assert outcomes["allowed"] == 0
    lines = read_metrics(folder / "allowed" / "metrics.jsonl")
    (event,) = [line for line in lines if line.get("event") == "resumed with other settings"]
    assert event["settings"] == {"optimizer.learning_rate": [0.01, 0.001], "training.seed": [1, 7]}
    rates = [line["learning_rate"] for line in lines if "event" not in line]
    assert rates[1] == 0.01
    assert max(rates[2:]) <= 0.001


def test_the_next_phase_may_take_the_moments_over(results: tuple[Path, dict[str, Any]]) -> None:
    """At the same rate, on the same examples, two phases are one training: the moments and their count went over."""
    folder, outcomes = results
    assert [outcomes[name] for name in ("one phase", "phase one", "phase two")] == [0, 0, 0]
    steps = [line for line in read_metrics(folder / "phase-two" / "metrics.jsonl") if "event" not in line]
    assert [line["step"] for line in steps] == [1, 2]
    reader = CheckpointReader(folder / "phase-two" / "checkpoints" / "step2")
    assert reader.trainer["updates"] == 4
    assert reader.trainer["state"]["step"] == 2


def test_stages_agree(results: tuple[Path, dict[str, Any]]) -> None:
    reference = losses(results[0] / "whole-0-fp32")
    for stage in (1, 2, 3):
        assert losses(results[0] / f"whole-{stage}-fp32") == pytest.approx(reference, abs=1e-4)


def test_loss_falls_on_held_out_examples(results: tuple[Path, dict[str, Any]]) -> None:
    report = json.loads((results[0] / "parity" / "report.json").read_text())["summary"]
    assert report["held_out_last"]["loss"] < report["held_out_first"]["loss"] - 0.2
    assert report["step"] == 200


def test_run_folder_is_complete(results: tuple[Path, dict[str, Any]]) -> None:
    run = results[0] / "whole-3-fp32"
    state = json.loads((run / "state.json").read_text())
    assert state["status"] == "finished"
    assert state["step"] == 6
    assert "<svg" in (run / "report.html").read_text()
    assert (run / "checkpoints" / "latest").read_text() == "step6\n"
    assert not list(run.rglob("*.tmp*"))
    exported = import_bert(run / "export")
    for left, right in zip(
        exported.parameters(), import_bert(results[0] / "whole-0-fp32" / "export").parameters(), strict=True
    ):
        assert torch.allclose(left, right, atol=2e-4)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_checkpoint_exports_what_the_run_exported(
    results: tuple[Path, dict[str, Any]], stage: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = results
    run = folder / f"whole-{stage}-fp32"
    assert export.main([str(run), "--output", str(tmp_path / "export")]) == 0
    files = {path.name for path in (run / "export").iterdir()}
    assert {path.name for path in (tmp_path / "export").iterdir()} == files
    for name in files:
        assert (tmp_path / "export" / name).read_bytes() == (run / "export" / name).read_bytes(), name
    assert export.main([str(run), "--output", str(tmp_path / "export")]) == 2
    assert "is there already" in capsys.readouterr().err
    said = []
    for options in ((), ("--step", "6")):
        assert fill_mask.main(["--model", str(run), "--json", *options, "[MASK]"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_an_earlier_step_is_exported_and_a_damaged_one_is_not(
    results: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(results[0] / "parts-1-fp32", run)
    steps = sorted(int(path.name.removeprefix("step")) for path in (run / "checkpoints").glob("step*"))
    assert steps == [3, 6]
    assert export.main([str(run), "--step", "3"]) == 0
    earlier, last = (read_weights(run / name) for name in ("export-step3", "export"))
    assert all(torch.isfinite(value).all() for value in earlier.values())
    assert not all(torch.equal(earlier[name], last[name]) for name in last)
    assert export.main([str(run), "--step", "4"]) == 2
    assert "no checkpoint of step 4; there are those of 3, 6" in capsys.readouterr().err
    states = run / "checkpoints" / "step6" / "state-00001.safetensors"
    states.write_bytes(states.read_bytes()[:-1] + b"!")
    assert export.main([str(run)]) == 2
    assert "step6 is damaged: state-00001.safetensors" in capsys.readouterr().err
    assert not (run / "export-step6").exists()


def test_a_report_is_written_anew(
    results: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(results[0] / "whole-1-fp32", run)
    before = {name: (run / name).read_bytes() for name in ("report.html", "report.json")}
    for name in before:
        (run / name).unlink()
    assert report.main([str(run)]) == 0
    assert {name: (run / name).read_bytes() for name in before} == before
    assert report.main([str(tmp_path)]) == 2
    assert "is no folder of a run: recipe.json cannot be read" in capsys.readouterr().err


def test_stopped_run_stays_stopped(results: tuple[Path, dict[str, Any]]) -> None:
    """Scripts put a job back into the queue on 75; started again at its stop or past it, it trains no further."""
    folder, outcomes = results
    assert [outcomes[name] for name in ("to stop", "past its stop", "at its stop")] == [0, 0, 0]
    state = json.loads((folder / "stopped" / "state.json").read_text())
    assert (state["status"], state["step"]) == ("stopped", 2)
    assert len(losses(folder / "stopped")) == 2


def test_interrupted_run_says_so(results: tuple[Path, dict[str, Any]]) -> None:
    line = json.loads((results[0] / "damaged" / "state.json").read_text())
    assert line["status"] in ("finished", "failed")


def test_damaged_checkpoint_is_passed_over(results: tuple[Path, dict[str, Any]]) -> None:
    folder, outcomes = results
    assert outcomes["to damage"] == 0
    assert outcomes["after damage"] == 0
    lines = read_metrics(folder / "damaged" / "metrics.jsonl")
    assert [line["step"] for line in lines if "event" not in line] == [1, 2, 3, 4, 5, 6]
    assert losses(folder / "damaged") == losses(folder / "whole-1-fp32")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("other model", "checkpoint of another model (hidden_size 32 there, 64 here)"),
        ("other data", "other settings (data.shards)"),
        ("used folder", "checkpoint.resume is false and"),
        (
            "other optimizer",
            "other settings (optimizer.beta2 0.999 there, 0.98 here); set them back",
        ),
        ("fewer steps", "training.steps is 1 and"),
        ("nothing whole", "none of step1, step2 is whole"),
    ],
)
def test_foreign_checkpoint_is_refused(results: tuple[Path, dict[str, Any]], name: str, expected: str) -> None:
    assert expected in str(results[1][name])


def test_finished_run_is_left_as_it_is(results: tuple[Path, dict[str, Any]]) -> None:
    folder, outcomes = results
    assert outcomes["finished"] == 0
    assert len(losses(folder / "whole-1-fp32")) == 6


def test_dynamic_masking_sees_other_masks(results: tuple[Path, dict[str, Any]]) -> None:
    folder, outcomes = results
    assert outcomes["dynamic"] == 0
    dynamic, static = losses(folder / "dynamic"), losses(folder / "whole-1-fp32")
    assert dynamic[0] != static[0]
    assert dynamic[0] == pytest.approx(static[0], abs=0.2)


def test_next_phase_starts_from_the_weights(results: tuple[Path, dict[str, Any]]) -> None:
    folder, outcomes = results
    assert outcomes["next phase"] == 0
    before = json.loads((folder / "whole-1-fp32" / "report.json").read_text())["summary"]["held_out_last"]
    after = json.loads((folder / "phase2" / "report.json").read_text())["summary"]["held_out_first"]
    assert after["loss"] == pytest.approx(before["loss"], abs=1e-6)


def test_two_hundred_losses_equal_a_plain_transformers_loop(results: tuple[Path, dict[str, Any]]) -> None:
    """The same weights and batches, dropout 0, padded batches, mean losses, one process, `torch.optim.AdamW`."""
    transformers = pytest.importorskip("transformers")
    folder, outcomes = results
    assert outcomes["two hundred"] == 0
    model = transformers.BertForPreTraining.from_pretrained(folder / "start", attn_implementation="eager").train()
    undecayed = [p for name, p in model.named_parameters() if name.endswith("bias") or "LayerNorm" in name]
    kept = {id(parameter) for parameter in undecayed}
    decayed = [p for p in model.parameters() if id(p) not in kept]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": undecayed, "weight_decay": 0.0}], lr=3e-3, eps=1e-6
    )
    examples = Examples(open_shard_sets([folder / "shards"], 32, None), "train", 32)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    loader = Loader(examples, sampler, batch_size=16, micro_batches=1, rank=0, ranks=1, hidden_size=32)
    plain = []
    for step, batch in enumerate(loader.batches(Position(), 200)):
        packed = batch.micro_batches[0]
        lengths = packed.cu_seqlens.diff().tolist()
        padded = torch.nn.utils.rnn.pad_sequence
        labels_t = torch.full_like(packed.input_ids_t, -100)
        labels_t[packed.masked_indices_m] = packed.masked_labels_m
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - (step + 1) / 201)
        output = model(
            input_ids=padded(packed.input_ids_t.split(lengths), batch_first=True),
            token_type_ids=padded(packed.segment_ids_t.split(lengths), batch_first=True),
            attention_mask=padded([torch.ones(n) for n in lengths], batch_first=True),
            labels=padded(labels_t.split(lengths), batch_first=True, padding_value=-100),
            next_sentence_label=packed.is_random_next_s,
        )
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        plain.append(output.loss.item())
    ours = losses(folder / "parity")
    assert len(ours) == 200
    assert plain[-1] < plain[0] - 0.5
    assert ours == pytest.approx(plain, abs=1e-4)
