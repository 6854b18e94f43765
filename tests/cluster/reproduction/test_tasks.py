"""Which small tasks a folder of data holds."""

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.reproduction.tasks import TASKS, tasks_in


def test_those_whose_files_are_there_in_their_order(tmp_path: Path) -> None:
    for task in reversed(TASKS[:3]):
        file = tmp_path / task.folder / task.shows
        file.parent.mkdir(parents=True)
        file.write_text("")
    assert tasks_in(tmp_path) == TASKS[:3]


def test_none_is_a_sentence_that_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"none of the small tasks.*glue/CoLA/train.tsv.*conll2002-dutch/train.txt"):
        tasks_in(tmp_path)


def test_all_of_them_are_real_tasks(shared_data: Path) -> None:
    from finetuning.tasks.task import read_task

    for task in tasks_in(shared_data):
        assert read_task(task.recipe)[0].name == task.name
    assert len(tasks_in(shared_data)) == len(TASKS)
