"""Which finished runs stand for what is asked for, and which are refused, by what was changed since."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.run.identity.effects import fields_with
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.specification import RunSpec
from finetuning.run.start import model_fingerprint
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.plan import Plan, make_plan
from finetuning.sweeps.reuse import FinishedRuns, finished_without, lacking
from pretraining.model.config import BertConfig

OWN = """
kind = "classification"
metric = "accuracy"
labels = ["no", "yes"]
columns = { text_a = "text", label = "label" }
splits = { train = "train.jsonl", dev = "dev.jsonl" }
"""
ROW = json.dumps({"text": "the cat", "label": "no"}) + "\n"


class Place:
    """A task with its data, a model, and a sweep of one run of it, in folders of their own."""

    def __init__(self, root: Path, model_folder: Path, write_result: Callable[..., Path]) -> None:
        self.root, self.write_result = root, write_result
        self.model = Path(shutil.copytree(model_folder, root / "a modèl"))
        self.task = root / "own data" / "polite.toml"
        self.task.parent.mkdir()
        self.task.write_text(OWN)
        for name in ("train", "dev"):
            (self.task.parent / f"{name}.jsonl").write_text(ROW)
        self.values: dict[str, object] = {
            "models": {"a": str(self.model)},
            "tasks": (str(self.task),),
            "output": str(root / "swéép 1"),
            "seeds": (1,),
        }

    def plan(self, **changes: object) -> Plan:
        return make_plan(SweepConfig.model_validate(self.values | changes))

    def spec(self, plan: Plan) -> RunSpec:
        return plan.runs[0].spec(plan.output)

    def finish(self, **changes: object) -> Plan:
        """Leave the result that the run of the plan would leave."""
        plan = self.plan(**changes)
        plan.write()
        spec = self.spec(plan)
        noted = {"inputs": inputs_of(spec), "model_fingerprint": model_fingerprint(spec)}
        grid = {name: getattr(spec, name) for name in ("learning_rate", "batch_size", "epochs", "seed")}
        self.write_result(spec.output, task="polite", spec=spec.model_dump(), **noted, **grid)
        return plan

    def check(self, **changes: object) -> list[str]:
        """The remarks, or the refusal."""
        plan = self.plan(**changes)
        finished = FinishedRuns(plan)
        finished.check(self.spec(plan))
        return finished.remarks()


@pytest.fixture
def place(tmp_path: Path, model_folder: Path, write_result: Callable[..., Path]) -> Place:
    return Place(tmp_path, model_folder, write_result)


OTHER_VALUES = {
    "context": "document",
    "random_weights": True,
    "sequence_length": 9,
    "warmup_share": 0.2,
    "weight_decay": 0.2,
    "adam_beta1": 0.5,
    "adam_beta2": 0.5,
    "adam_epsilon": 1e-3,
    "bias_correction": False,
    "gradient_clip": 2.0,
    "dropout": 0.3,
    "group_by_length": True,
    "precision": "bf16",
    "skip_malformed": True,
    "limit_train": 5,
    "limit_dev": 5,
    "stop_failed_after": 1,
    "device": "cpu",
    "threads": 3,
    "micro_batch_pieces": 77,
    "zero_stage": 1,
    "join_seconds": 7.0,
    "save_model": True,
    "predict_test": False,
    "evaluate_every_epoch": True,
}
NAMED_BY_THE_SWEEP = {"task", "model", "data", "output", "learning_rate", "batch_size", "epochs", "seed", "tokenizer"}


def test_every_option_is_tried() -> None:
    assert set(OTHER_VALUES) == set(RunSpec.model_fields) - NAMED_BY_THE_SWEEP


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_an_option_may_change_where_no_score_depends_on_it(place: Place, name: str) -> None:
    place.finish()
    options = {name: OTHER_VALUES[name]}
    if name in fields_with("score"):
        old = RunSpec.model_fields[name].default if name != "precision" else "auto"
        says = f"holds a run with {name} {old}, this sweep asks for {OTHER_VALUES[name]}; set {name} back to {old}, or"
        with pytest.raises(FinetuningError, match=re.escape(says)):
            place.check(options=options)
    else:
        assert place.check(options=options) == []


def test_a_precision_that_the_device_took_by_itself_may_be_asked_for(place: Place) -> None:
    place.finish()
    assert place.check(options={"precision": "fp32"}) == []
    place.finish(options={"precision": "bf16"})
    assert place.check() == []  # left open again


def test_what_is_kept_and_asked_for_later_is_lacking_and_no_reason_to_refuse(place: Place) -> None:
    first = place.finish(options={"save_model": True, "predict_test": False})
    later = place.plan(options={"evaluate_every_epoch": True})
    assert lacking(later.runs[0], later) == ("evaluate_every_epoch", "predict_test")
    assert lacking(first.runs[0], first) == ()
    says = "1 runs of .* without what is asked for since .evaluate_every_epoch, predict_test.*--again"
    assert re.search(says, finished_without(later) or "")
    assert finished_without(first) is None


def test_a_test_split_that_came_later_is_lacking(place: Place) -> None:
    test = 'dev = "dev.jsonl", test = { file = "test.jsonl", optional = true } }\ntest = ["test"]'
    place.task.write_text(OWN.replace('dev = "dev.jsonl" }', test))
    plan = place.finish()
    assert lacking(plan.runs[0], plan) == ()
    (place.task.parent / "test.jsonl").write_text(ROW)
    again = place.plan()
    place_of_run = again.runs[0].folder
    assert lacking(again.runs[0], again) == ("predict_test",)
    assert f"(predict_test), the first {place_of_run}: their scores stand; --again" in str(finished_without(again))
    without = place.plan(options={"predict_test": False})
    assert lacking(without.runs[0], without) == ()
    place.finish()
    assert lacking(again.runs[0], again) == ()


def test_only_the_best_mnli_run_must_keep_a_model_that_is_but_a_start(
    tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    values = {"models": {"a": "x"}, "tasks": ("mnli", "rte"), "output": str(tmp_path), "seeds": (1, 2, 3)}
    plan = make_plan(SweepConfig.model_validate(values | {"start_from_mnli": ("rte",)}))
    mnli = [run for run in plan.runs if run.task == "mnli"]
    for run, score in zip(mnli, (0.6, 0.8, 0.7), strict=True):
        write_result(tmp_path / run.folder, task="mnli", score=score)
    assert [lacking(run, plan) for run in mnli] == [(), ("save_model",), ()]
    wanted = make_plan(SweepConfig.model_validate(values | {"options": {"save_model": True}}))
    assert {lacking(run, wanted) for run in wanted.runs if run.task == "mnli"} == {("save_model",)}


def rewrite(path: Path, text: str) -> None:
    """Other bytes, as many, at another time."""
    before = path.stat()
    path.write_text(text)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(0, before.st_mtime_ns - 10**12))  # an older file may come back, too


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_changed_data_file_is_refused_and_a_copy_is_not(place: Place, split: str) -> None:
    place.finish()
    file = place.task.parent / f"{split}.jsonl"
    rewrite(file, ROW)
    assert place.check() == []
    rewrite(file, ROW.replace("cat", "dog"))
    says = rf"holds a run with another {split} split than .*{split}.jsonl has now \(\d+ bytes, sha256 .*, now \d+ bytes"
    with pytest.raises(FinetuningError, match=says):
        place.check()
    file.unlink()
    assert place.check() == []  # nothing is learnt of it any more


def test_data_in_another_folder_are_taken_by_what_they_hold(place: Place) -> None:
    place.finish()
    copy = Path(shutil.copytree(place.task.parent, place.root / "elsewhere"))
    for file in copy.iterdir():
        os.utime(file, ns=(0, 10**18))
    assert place.check(data=str(copy)) == []
    rewrite(copy / "dev.jsonl", ROW.replace("cat", "dog"))
    with pytest.raises(FinetuningError, match=r"another dev split than .*elsewhere.dev.jsonl"):
        place.check(data=str(copy))
    (copy / "dev.jsonl").unlink()
    with pytest.raises(FinetuningError, match=r"data .*own data, this sweep asks for .*elsewhere, which has no file"):
        place.check(data=str(copy))


def test_a_changed_task_is_refused_by_its_key_and_a_comment_is_no_change(place: Place) -> None:
    place.finish()
    place.task.write_text(f"# polite or not\n{OWN}title = 'Polite'\n")
    assert place.check() == []
    place.task.write_text(OWN.replace('"no", "yes"', '"no", "maybe"'))
    says = "whose task polite has labels ['no', 'yes'], now it has ['no', 'maybe']: put that back"
    with pytest.raises(FinetuningError, match=re.escape(says)):
        place.check()
    place.task.write_text(OWN + "sequence_length = 64\n")
    with pytest.raises(FinetuningError, match=r"has sequence_length its default, now it has 64"):
        place.check()


def test_a_model_is_known_by_its_weights_wherever_it_lies(place: Place, tiny_config: BertConfig) -> None:
    import torch

    from pretraining.model.bert import BertForPreTraining
    from pretraining.model.huggingface import export_bert

    place.finish()
    moved = Path(shutil.copytree(place.model, place.root / "moved"))
    assert place.check(models={"a": str(moved)}) == []
    weights = place.model / "model.safetensors"
    os.utime(weights, ns=(0, 10**18))
    assert place.check() == []
    torch.manual_seed(8)
    export_bert(BertForPreTraining(tiny_config), place.model)
    os.utime(weights, ns=(0, 10**18))  # before the run: the time alone would say nothing
    with pytest.raises(FinetuningError, match=r"a run from other weights than .*a modèl has now \(sha256 \w{12}, now"):
        place.check()
    weights.unlink()
    assert place.check() == []  # it was deleted: what was learnt stands


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_what_lies_beside_the_weights_counts(place: Place, name: str) -> None:
    place.finish()
    file = place.model / name
    rewrite(file, file.read_text())
    assert place.check() == []
    file.write_text(file.read_text().replace("0.1", "0.2") if name == "config.json" else file.read_text() + " ")
    with pytest.raises(FinetuningError, match=r"another config.json|the tokenizer \d+ bytes"):
        place.check()


def test_a_sweep_that_was_moved_goes_on(place: Place) -> None:
    place.finish()
    old = place.root / "swéép 1"
    new = old.rename(place.root / "moved here")
    assert place.check(output=str(new)) == []
    place.task.write_text(OWN.replace("yes", "maybe"))
    with pytest.raises(FinetuningError, match="has labels"):
        place.check(output=str(new))


def test_results_of_earlier_versions_stand_with_a_remark(place: Place) -> None:
    plan = place.finish()
    file = place.spec(plan).output / "result.json"
    content = json.loads(file.read_text())
    del content["inputs"]
    file.write_text(json.dumps(content))
    rewrite(place.task.parent / "train.jsonl", ROW.replace("cat", "dog"))
    (remark,) = place.check()
    assert "1 finished runs are of a version that did not note what it read" in remark
    with pytest.raises(FinetuningError, match="this sweep asks for"):
        place.check(data=str(place.root))
    place.task.write_text(OWN.replace("yes", "maybe"))
    with pytest.raises(FinetuningError, match=r"holds a run with task .*polite.toml"):
        place.check()


def test_a_result_of_another_seed_may_start_elsewhere(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    """What is refused is one start among several: the runs of the best MNLI run, or those of one seed."""
    values = {"models": {"a": "models/a"}, "tasks": ("rte", "mnli"), "start_from_mnli": ("rte",), "seeds": (1, 2)}
    sweep = SweepConfig.model_validate(values | {"output": str(tmp_path), "mnli_run": "same seed"})
    plan = make_plan(sweep)
    first, second = (next(run for run in plan.runs if run.task == "rte" and run.seed == seed) for seed in (1, 2))
    spec = second.spec(tmp_path, "mnli-of-2").model_dump(mode="json")
    write_result(tmp_path / second.folder, task="rte", spec=spec)
    FinishedRuns(plan).check_starts("mnli-of-1", first, plan)
    best = make_plan(sweep.model_copy(update={"mnli_run": "best"}))
    with pytest.raises(FinetuningError, match="holds a run with model mnli-of-2"):
        FinishedRuns(best).check_starts("mnli-of-1", first, best)
