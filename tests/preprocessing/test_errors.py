import pytest

from preprocessing.errors import PreprocessingError, TransientError, raise_all


@pytest.mark.parametrize(
    ("kinds", "raised"),
    [
        ([PreprocessingError], PreprocessingError),
        ([TransientError], TransientError),
        ([TransientError, TransientError], TransientError),
        ([TransientError, PreprocessingError], PreprocessingError),
    ],
)
def test_faults_that_may_all_pass_may_pass_together(kinds: list[type], raised: type) -> None:
    with pytest.raises(PreprocessingError) as found:
        raise_all([kind(f"fault {number}") for number, kind in enumerate(kinds)])
    assert type(found.value) is raised
    assert all(f"fault {number}" in str(found.value) for number in range(len(kinds)))
    raise_all([])
