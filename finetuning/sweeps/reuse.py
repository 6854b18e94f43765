"""Whether a result that is there stands for the run that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.run.identity.effects import fields_with
from finetuning.run.identity.inputs import (
    InputFile,
    configuration_file,
    data_folder,
    is_random,
    task_content,
    tokenizer_file,
    weight_files,
)
from finetuning.run.result import RESULT_FILE, Result
from finetuning.run.specification import RunSpec
from finetuning.sweeps.grid import PlannedRun
from finetuning.sweeps.plan import Plan
from finetuning.sweeps.stages import best_source
from finetuning.tasks.readers.splits import find_file
from finetuning.tasks.task import Task, read_task

_READ = ("task", "data", "model", "tokenizer")
"""Options that name what is read: what is there counts, not what it is called."""
_DIGITS = 12
"""Of a hash, in a sentence."""


def lacking(run: PlannedRun, plan: Plan) -> tuple[str, ...]:
    """What is asked for now and a finished run was told to leave out, as `save_model`; nothing where none is finished.

    Its score is right without. Of MNLI runs whose models are wanted only as a start, the best one needs its own.
    """
    folder = plan.output / run.folder
    if not Result.exists(folder):
        return ()
    result, now = Result.read(folder), run.spec(plan.output)
    before = result.spec
    found = [name for name in sorted(fields_with("kept")) if getattr(now, name) and not getattr(before, name)]
    if "save_model" in found and not _asked_to_save(run, plan):
        best = best_source(run, plan.runs, plan.config)
        if best is not None and best.folder != run.folder:
            found.remove("save_model")
    if "predict_test" not in found and now.predict_test and _has_new_test_split(result, now, plan):
        found.append("predict_test")
    return tuple(found)


def _has_new_test_split(result: Result, spec: RunSpec, plan: Plan) -> bool:
    """Whether the data have a test split that they had not when the run was made."""
    if result.inputs is None:
        return False
    unread = [name for name in result.inputs.task.get("test", ()) if name not in result.inputs.data]
    if not unread:
        return False
    task = plan.copied_tasks().get(spec.task) or read_task(spec.task)[0]
    folder = data_folder(task, spec)
    return folder is not None and any(
        name in task.splits and find_file(task, task.splits[name], folder) is not None for name in unread
    )


def _asked_to_save(run: PlannedRun, plan: Plan) -> bool:
    """Whether the sweep's own words say that the run's model is to be kept."""
    override = plan.config.task.get(run.task_name)
    options = plan.config.options | (override.options if override else {})
    return bool(options.get("save_model"))


class FinishedRuns:
    """Compares finished runs of a plan with what it asks for; files are read once for all of them."""

    def __init__(self, plan: Plan) -> None:
        self._tasks: dict[str, Task] = plan.copied_tasks()
        self._fingerprints: dict[tuple[str, bool], str | None] = {}
        self._older: list[Path] = []
        self._unread: dict[str, Path] = {}

    def check(self, spec: RunSpec) -> None:
        """FinetuningError when the run that lies in the folder had other weights, data, tokenizer, task or options.

        Its score must not stand for this one. Options without effect on the score may differ, as may the place of what
        is read, where its content is the same.
        """
        if not Result.exists(spec.output):
            return
        result = Result.read(spec.output)
        before = result.spec
        for name in sorted(fields_with("score") - {*_READ}):
            old, new = getattr(before, name), getattr(spec, name)
            if old == new or (name == "precision" and new in ("auto", result.precision)):
                continue  # left open, or what the device made of it
            raise _another(spec, f"{name} {old}", f"{new}; set {name} back to {old}")
        if result.inputs is None:
            self._older.append(spec.output)
        self._check_model(result, spec)
        self._check_tokenizer(result, spec)
        self._check_task(result, spec)
        self._check_data(result, spec)

    def check_starts(self, start: str, run: PlannedRun, plan: Plan) -> None:
        """Refuse results of this model's wave 1 that started elsewhere than `start`, from where `run` is to start.

        The best MNLI run can change between two calls, when one that had failed is finished later. Scores from two
        starting points must not stand side by side.
        """
        if run.wave:
            for other in plan.runs:
                shares = plan.config.mnli_run == "best" or other.seed == run.seed
                if other.wave == 1 and other.model_label == run.model_label and shares:
                    self.check(other.spec(plan.output, start))

    def remarks(self) -> list[str]:
        """What could not be compared, a sentence each."""
        found = [
            f"{output}: the weights in {model} are newer than this run and cannot be read to compare them; delete its "
            "folder to run it again"
            for model, output in self._unread.items()
        ]
        if self._older:
            found.append(
                f"{len(self._older)} finished runs are of a version that did not note what it read, the first "
                f"{self._older[0]}: a change of their data files is not noticed; delete their folders to run them again"
            )
        return found

    def _check_model(self, result: Result, spec: RunSpec) -> None:
        before = result.spec
        is_here = before.model == spec.model or _same_place(before.model, spec.model)
        if is_here and self._looks_the_same(result, spec):
            return
        now = self._fingerprint(spec)
        configuration = None if result.inputs is None else result.inputs.configuration
        if now == result.model_fingerprint and _is_same(configuration, spec.model):
            return
        if not is_here:
            raise _another(spec, f"model {before.model}", f"{spec.model}; set it back")
        if now is None:
            self._unread[spec.model] = spec.output
            return
        raise FinetuningError(
            f"{spec.output} holds a run from other weights than {spec.model} has now (sha256 "
            f"{result.model_fingerprint[:_DIGITS]}, now {now[:_DIGITS]}, or another config.json): put the model back, "
            "give the new one another label, or delete that folder"
        )

    def _looks_the_same(self, result: Result, spec: RunSpec) -> bool:
        """Whether size and time of the model's files tell, without reading them, that nothing was written since."""
        files = weight_files(spec.model)
        if result.inputs is None:
            finished = (spec.output / RESULT_FILE).stat().st_mtime
            return is_random(spec) or not any(file.stat().st_mtime > finished for file in files)
        if not _is_same(result.inputs.configuration, spec.model):
            return False
        noted = {Path(file.path).name: file for file in result.inputs.weights}
        return all(file.name in noted and noted[file.name].looks_like(file) for file in files) or is_random(spec)

    def _fingerprint(self, spec: RunSpec) -> str | None:
        """That of the model as it is; None where it cannot be read."""
        key = (spec.model, spec.random_weights)
        if key not in self._fingerprints:
            from finetuning.run.start import model_fingerprint  # late: torch takes seconds, and few need it

            try:
                self._fingerprints[key] = model_fingerprint(spec)
            except FinetuningError:
                self._fingerprints[key] = None
        return self._fingerprints[key]

    def _check_tokenizer(self, result: Result, spec: RunSpec) -> None:
        old, new = result.spec.tokenizer, spec.tokenizer
        noted, file = None if result.inputs is None else result.inputs.tokenizer, tokenizer_file(spec)
        if noted is not None and file is not None:
            if not noted.is_same(file):
                raise _another(spec, f"the tokenizer {_shown(noted, Path(noted.path))}", _shown(noted, file, now=True))
        elif old != new and not _same_place(old, new):
            raise _another(spec, f"tokenizer {old}", f"{new}; set it back")

    def _check_task(self, result: Result, spec: RunSpec) -> None:
        old, new = result.spec.task, spec.task
        if result.inputs is None:
            if old == new or _same_copy(old, new) or self._same_text(old, new):
                return
            raise _another(spec, f"task {old}", f"{new}; put that file back")
        before, now = result.inputs.task, task_content(self._task(new))
        if key := next((key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)), None):
            raise FinetuningError(
                f"{spec.output} holds a run whose task {now.get('name')} has {key} {_value(before, key)}, now it has "
                f"{_value(now, key)}: put that back in its file, choose another --output, or delete that folder"
            )

    def _check_data(self, result: Result, spec: RunSpec) -> None:
        task = self._task(spec.task)
        old, new = self._data_of(result.spec, task), data_folder(task, spec)
        is_here = old == new or _same_place(old, new)
        noted = {} if result.inputs is None or new is None else result.inputs.data
        if not noted and not is_here:
            raise _another(spec, f"data {old}", f"{new}; set it back")
        for name, file in noted.items():
            path = find_file(task, task.splits[name], new or Path())
            if path is None and not is_here:
                raise _another(spec, f"data {old}", f"{new}, which has no file of the {name} split; set it back")
            # Data that are gone do no harm to what was learnt of them.
            if path is not None and not file.is_same(path):
                raise FinetuningError(
                    f"{spec.output} holds a run with another {name} split than {path} has now "
                    f"({_shown(file, path)}, {_shown(file, path, now=True)}): put the file back, choose another "
                    "--output, or delete that folder"
                )

    def _data_of(self, before: RunSpec, task: Task) -> Path | None:
        """Where a finished run found its data; its task file may have been moved since."""
        if before.data is not None or not before.task.endswith(".toml"):
            return before.data
        return Path(before.task).parent

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            self._tasks[name] = read_task(name)[0]
        return self._tasks[name]

    def _same_text(self, old: str, new: str) -> bool:
        """Whether two task files say the same: a sweep works on a copy of it."""
        if Path(old).suffix != ".toml" or not Path(old).is_file():
            return False
        return task_content(self._task(old)) == task_content(self._task(new))


def _another(spec: RunSpec, old: str, new: str) -> FinetuningError:
    return FinetuningError(
        f"{spec.output} holds a run with {old}, this sweep asks for {new}, or choose another --output, another label "
        "for the model, or delete that folder"
    )


def _is_same(noted: InputFile | None, model: str) -> bool:
    """Whether the model's configuration is as it was; where one of the two is not known, nothing speaks against it."""
    file = configuration_file(model)
    return noted is None or file is None or noted.is_same(file)


def _shown(noted: InputFile, path: Path, *, now: bool = False) -> str:
    seen = InputFile.of(path) if now else noted
    return f"{'now ' if now else ''}{seen.bytes} bytes, sha256 {seen.sha256[:_DIGITS]}"


def _value(content: Mapping[str, Any], key: str) -> str:
    text = repr(content[key]) if key in content else "its default"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _same_copy(old: str, new: str) -> bool:
    """Whether two paths name a plan's copies of one task file: their folder is called by what it says."""
    return Path(old).suffix == ".toml" and Path(old).parts[-3:] == Path(new).parts[-3:] and len(Path(old).parts) > 2


def _same_place(old: str | Path | None, new: str | Path | None) -> bool:
    return old is not None and new is not None and Path(old).resolve() == Path(new).resolve()


def finished_without(plan: Plan) -> str | None:
    """A remark on finished runs that lack what is asked for now; None where none does."""
    found = {run.folder: missing for run in plan.runs if (missing := lacking(run, plan))}
    if not found:
        return None
    names = sorted({name for missing in found.values() for name in missing})
    return (
        f"{len(found)} runs of {plan.output} are finished without what is asked for since ({', '.join(names)}), the "
        f"first {next(iter(found))}: their scores stand; --again makes these runs again"
    )
