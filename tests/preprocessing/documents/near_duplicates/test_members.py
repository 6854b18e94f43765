"""Documents are found again by their place, whatever part, split and batch they lie in."""

from collections.abc import Callable

import numpy as np
import pytest

from preprocessing.documents.near_duplicates.bands import read_keys
from preprocessing.documents.near_duplicates.job import PART_BITS, NearDuplicateJob, batches_of
from preprocessing.documents.near_duplicates.members import Members, write_members
from preprocessing.documents.near_duplicates.pairs import compare_pairs, similarity
from preprocessing.errors import PreprocessingError


@pytest.fixture(params=[1, 7, 1000])
def job(
    linked: Callable[..., NearDuplicateJob], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> NearDuplicateJob:
    """60 documents of seven splits in three parts, of which 40 have a copy among themselves; batches of some rows."""
    monkeypatch.setattr("preprocessing.documents.near_duplicates.members._ROWS_AT_A_TIME", request.param)
    monkeypatch.setattr("preprocessing.documents.near_duplicates.job.PARTS", 3)
    random = np.random.default_rng(4)
    signatures = random.integers(0, 2**32, (60, 16), dtype=np.uint32)
    signatures[20:40] = signatures[:20]
    keys = [bytes([number, *random.bytes(15)]) for number in range(60)]
    return linked(signatures, keys, list(range(60)), 7)


def places(job: NearDuplicateJob) -> np.ndarray:
    found = [
        batch.column("document").to_numpy() | np.uint64(part << PART_BITS)
        for part in range(job.parts)
        for batch in batches_of(job.path("members", part))
    ]
    return np.concatenate(found)


def test_only_documents_with_a_candidate_are_copied(job: NearDuplicateJob) -> None:
    keys = Members(job).keys(places(job))
    assert sorted((keys[:, 0] >> np.uint64(56)).tolist()) == list(range(40))


def test_everything_of_a_document_is_found_in_any_order(job: NearDuplicateJob) -> None:
    wanted = np.random.default_rng(1).permutation(places(job))
    members = Members(job)
    every = [read_keys(part, job) for part in range(job.parts)]
    keys = members.keys(wanted)
    for place, key in zip(wanted.tolist(), keys, strict=True):
        assert (every[place >> PART_BITS][place & 0xFFFFFFFF] == key).all()
    number = (keys[:, 0] >> np.uint64(56)).astype(int)
    assert members.characters(wanted).tolist() == number.tolist()
    names = members.names(wanted)
    assert names.column("locator").to_pylist() == [key.astype(">u8").tobytes().hex() for key in keys]
    assert names.column("file").to_pylist() == [f"file {n % 3}" for n in number]
    signatures = members.signatures(wanted)
    order = np.argsort(number)
    assert (signatures[order][:20] == signatures[order][20:]).all()
    assert len(members.names(wanted[:0])) == len(members.signatures(wanted[:0])) == 0


def test_similarity_is_the_share_of_equal_numbers(job: NearDuplicateJob) -> None:
    members = Members(job)
    wanted = places(job)
    number = (members.keys(wanted)[:, 0] >> np.uint64(56)).astype(int)
    by_number = wanted[np.argsort(number)]
    assert (similarity(members, by_number[:20], by_number[20:]) == 1).all()
    assert (similarity(members, by_number[:19], by_number[1:20]) == 0).all()


def test_what_is_there_is_not_made_again_and_what_was_lost_is_noticed(job: NearDuplicateJob) -> None:
    paths = [job.path("members", 0), job.path("pairs", 0)]
    before = [path.stat().st_mtime_ns for path in paths]
    write_members(0, job)
    compare_pairs(0, job)
    assert [path.stat().st_mtime_ns for path in paths] == before
    paths[0].unlink()
    job.path("partners", 1).unlink()
    with pytest.raises(PreprocessingError, match=r"partners-00001-.* is missing"):
        write_members(0, job)
    assert not paths[0].exists()
