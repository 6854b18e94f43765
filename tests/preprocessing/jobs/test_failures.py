from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.jobs.failures import forget_failures, has_failed, raise_failures, unless_failed


def fail(error: Exception) -> None:
    raise error


def test_work_is_done_until_some_worker_fails(tmp_path: Path) -> None:
    done: list[int] = []
    assert unless_failed(tmp_path, lambda: done.append(1))
    assert not unless_failed(tmp_path, lambda: fail(PreprocessingError("a.txt is bad; mend it.")))
    assert not unless_failed(tmp_path, lambda: done.append(2))
    assert done == [1]
    with pytest.raises(PreprocessingError, match=r"^a\.txt is bad; mend it\.$"):
        raise_failures(tmp_path)
    forget_failures(tmp_path)
    assert unless_failed(tmp_path, lambda: done.append(3))
    assert done == [1, 3]


def test_all_that_is_wrong_is_noted_each_once(tmp_path: Path) -> None:
    first, second = PreprocessingError("a is bad."), PreprocessingError("b is bad.")
    assert not unless_failed(tmp_path, lambda: fail(second), lambda: [first, PreprocessingError("b is bad.")])
    with pytest.raises(PreprocessingError) as raised:
        raise_failures(tmp_path)
    assert str(raised.value) == "2 faults:\n  a is bad.\n  b is bad."


def test_what_may_pass_by_itself_and_faults_of_the_program_are_raised(tmp_path: Path) -> None:
    for error in (TransientError("later"), ValueError("a fault")):
        with pytest.raises(type(error)):
            unless_failed(tmp_path, lambda error=error: fail(error))  # type: ignore[misc]
    assert not has_failed(tmp_path)
